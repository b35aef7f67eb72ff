"""What OpenVINO would compute slowly in a network, put so that it does not: the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.models.protocols import Floats

_WIDTH = 16  # channels: one AVX-512 register of float32


def widen_groups(network: Any) -> None:
    """In an `openvino.Model`, grouped convolutions of a few channels become ones of 16.

    OpenVINO has no fast way for few channels a group, unless it is one. MobileFaceNet has such a
    convolution, of two, that took a quarter of the network's time in bf16; wider it takes a third
    of that.
    """
    from openvino import opset13

    for node in network.get_ordered_ops():
        if node.get_type_name() != "GroupConvolution":
            continue
        weights = _constant(node.input_value(1))
        if weights is None or not _is_narrow(weights):
            continue
        said = node.get_attributes()
        wider = opset13.group_convolution(
            node.input_value(0),
            opset13.constant(in_wider_groups(weights, _WIDTH)),
            strides=said["strides"],
            pads_begin=said["pads_begin"],
            pads_end=said["pads_end"],
            dilations=said["dilations"],
            auto_pad=said["auto_pad"],
        )
        node.output(0).replace(wider.output(0))


def in_wider_groups(weights: Floats, width: int) -> Floats:
    """weights: (groups, n, n, …), outputs before inputs, `n` a divisor of `width` and the channels
    a multiple of it. Returns (groups · n / width, width, width, …), 0 between what was apart."""
    groups, narrow = weights.shape[:2]
    joined = width // narrow
    wider = np.zeros((groups // joined, width, width, *weights.shape[3:]), weights.dtype)
    for group in range(groups):
        into, place = divmod(group, joined)
        channels = slice(place * narrow, (place + 1) * narrow)
        wider[into, channels, channels] = weights[group]
    return wider


def _is_narrow(weights: Floats) -> bool:
    groups, outputs, inputs = weights.shape[:3]
    joins: bool = _WIDTH % outputs == 0 and groups * outputs % _WIDTH == 0
    return joins and 1 < outputs == inputs < _WIDTH


def _constant(value: Any) -> Floats | None:
    """The numbers of an input: as ONNX's weights come, a constant that is given another shape."""
    source = value.get_node()
    if source.get_type_name() == "Reshape":
        source = source.input_value(0).get_node()
    if source.get_type_name() != "Constant":
        return None
    numbers: Floats = source.data.reshape(tuple(value.get_shape()))
    return numbers
