"""What OpenVINO would compute slowly in a network, put so that it does not: the same numbers."""

from __future__ import annotations

from typing import Any

from stream.models.grouped_weights import in_pairs
from stream.models.protocols import Floats


def part_pairs(network: Any) -> None:
    """In an `openvino.Model`, convolutions of two channels a group become ones of a channel each.

    MobileFaceNet has one, that took a quarter of the network's time in bf16.
    """
    from openvino import opset13

    for node in network.get_ordered_ops():
        if node.get_type_name() != "GroupConvolution":
            continue
        weights = _constant(node.input_value(1))
        pairs = None if weights is None else in_pairs(weights)
        if pairs is None:
            continue
        source, said = node.input_value(0), node.get_attributes()
        exchanged = opset13.group_convolution(
            source, opset13.constant(pairs.exchange), [1, 1], [0, 0], [0, 0], [1, 1]
        )
        own, other = (
            opset13.group_convolution(
                of,
                opset13.constant(alone),
                strides=said["strides"],
                pads_begin=said["pads_begin"],
                pads_end=said["pads_end"],
                dilations=said["dilations"],
                auto_pad=said["auto_pad"],
            )
            for of, alone in ((source, pairs.own), (exchanged, pairs.other))
        )
        node.output(0).replace(opset13.add(own, other).output(0))


def _constant(value: Any) -> Floats | None:
    """The numbers of an input: as ONNX's weights come, a constant that is given another shape."""
    source = value.get_node()
    if source.get_type_name() == "Reshape":
        source = source.input_value(0).get_node()
    if source.get_type_name() != "Constant":
        return None
    numbers: Floats = source.data.reshape(tuple(value.get_shape()))
    return numbers
