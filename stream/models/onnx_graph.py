"""What ONNX Runtime computes slowly in a network on the processor, put so that it does not: the
same numbers, to the last bits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.models.grouped_weights import Pairs, in_pairs

log = logging.getLogger(__name__)

_SPLIT_TAKES_AN_INPUT = 13  # the version of ONNX' operators in which it no longer has an attribute


def write_faster(path: Path, folder: Path) -> Path:
    """A copy of the network in `folder` that takes less time; `path` itself where nothing would,
    and where there is no room for a copy.

    Other operators do what PRelu does, of two channels a group each is computed by itself, and
    convolutions of one input become one: MobileFaceNet takes 0.55 of its time, 2d106det 0.6, SCRFD
    0.8. Raises what `onnx` raises for a damaged file.
    """
    import onnx

    network = onnx.load(path)
    if not _Rewriting(network).rewrite():
        return path
    copy = folder / path.name
    try:
        onnx.save(network, copy)
    except OSError as error:
        log.warning("%s is computed as it is, more slowly: no copy in %s: %s", path, folder, error)
        return path
    return copy


class _Rewriting:
    """New nodes have names that begin with an output's, which is unlike all others: InsightFace
    knows some networks by nodes that are called `Sub…` and `Mul…`."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self._constants = {constant.name: constant for constant in network.graph.initializer}
        self._readers: dict[str, list[Any]] = {}
        for node in network.graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._results = {result.name for result in network.graph.output}
        self._to_add: dict[str, str] = {}  # to the output of a node that is still to come

    def rewrite(self) -> bool:
        """Returns whether there was anything to rewrite."""
        graph = self._network.graph
        nodes = [new for node in graph.node for new in self._in_its_place(node)]
        nodes = self._with_siblings_joined(nodes)
        rewritten = nodes != list(graph.node)
        del graph.node[:]
        graph.node.extend(nodes)
        return rewritten

    def _in_its_place(self, node: Any) -> list[Any]:
        if node.op_type == "PRelu":
            slopes = self._numbers(node.input[1])
            return [node] if slopes is None else self._without_prelu(node, slopes)
        if node.op_type == "Conv":
            pairs = self._pairs(node)
            return [node] if pairs is None else self._parted(node, pairs)
        if node.output[0] in self._to_add:
            return self._with_sum(node, self._to_add.pop(node.output[0]))
        return [node]

    def _without_prelu(self, node: Any, slopes: NDArray[Any]) -> list[Any]:
        """x → slope · x + max((1 - slope) · x, 0), where no slope is above 1: the maximum costs
        nothing beside the product. Else (1 - slope) · max(x, 0)."""
        from onnx import helper

        source, output = node.input[0], node.output[0]
        steep = self._constant(f"{output}/steep", slopes)
        rest = self._constant(f"{output}/rest", np.asarray(1 - slopes, slopes.dtype))
        between, lifted, sloped = f"{output}/between", f"{output}/lifted", f"{output}/sloped"
        if (slopes <= 1).all():
            product = helper.make_node("Mul", [source, rest], [between], between)
            lift = [product, helper.make_node("Relu", [between], [lifted], lifted)]
        else:
            positive = helper.make_node("Relu", [source], [between], between)
            lift = [positive, helper.make_node("Mul", [between, rest], [lifted], lifted)]
        return [
            *lift,
            helper.make_node("Mul", [source, steep], [sloped], sloped),
            helper.make_node("Add", [sloped, lifted], [output], f"{output}/sum"),
        ]

    def _pairs(self, node: Any) -> Pairs | None:
        group = next((said.i for said in node.attribute if said.name == "group"), 1)
        weights = self._numbers(node.input[1])
        if weights is None or weights.ndim != 4:
            return None
        return in_pairs(weights.reshape(group, -1, *weights.shape[1:]))

    def _parted(self, node: Any, pairs: Pairs) -> list[Any]:
        """A convolution of two channels a group. Where all that follows is an addition, of the bias
        most likely, the sum comes after it: ONNX Runtime then computes both in a convolution."""
        from onnx import helper

        source, output = node.input[0], node.output[0]
        exchanged, other = f"{output}/exchanged", f"{output}/other"
        said = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        said["group"] = len(pairs.own)
        of_own, of_other, exchange = (
            self._constant(f"{output}/{name}", numbers.reshape(-1, *numbers.shape[2:]))
            for name, numbers in zip(("own", "others", "partners"), pairs, strict=True)
        )
        own = helper.make_node("Conv", [source, of_own, *node.input[2:]], [output], output, **said)
        before = [
            helper.make_node(
                "Conv", [source, exchange], [exchanged], exchanged, group=len(pairs.exchange)
            ),
            helper.make_node("Conv", [exchanged, of_other], [other], other, **said),
        ]
        readers = self._readers.get(output, [])
        if len(readers) == 1 and readers[0].op_type == "Add" and output not in self._results:
            self._to_add[readers[0].output[0]] = other
            return [*before, own]
        return [*before, *self._with_sum(own, other)]

    def _with_sum(self, node: Any, other: str) -> list[Any]:
        """The node, and `other` added to what it gives."""
        from onnx import helper

        output = node.output[0]
        node.output[0] = f"{output}/before"
        return [node, helper.make_node("Add", [node.output[0], other], [output], f"{output}/sum")]

    def _with_siblings_joined(self, nodes: list[Any]) -> list[Any]:
        """Convolutions that look at one input in one way as one, whose outputs are split."""
        families: dict[bytes, list[Any]] = {}
        for node in nodes:
            if node.op_type == "Conv" and (likeness := self._likeness(node)) is not None:
                families.setdefault(likeness, []).append(node)
        eldest = {family[0].output[0]: family for family in families.values() if len(family) > 1}
        younger = {node.output[0] for family in eldest.values() for node in family[1:]}
        joined: list[Any] = []
        for node in nodes:
            output = node.output[0]
            if output in eldest:
                joined += self._joined(eldest[output])
            elif output not in younger:
                joined.append(node)
        return joined

    def _likeness(self, node: Any) -> bytes | None:
        """The same for two convolutions that can be one; None for one that cannot: grouped, or
        without weights and biases that are known."""
        weights = self._constants.get(node.input[1])
        known = len(node.input) == 3 and weights is not None and node.input[2] in self._constants
        grouped = any(said.name == "group" and said.i != 1 for said in node.attribute)
        if not known or grouped or weights is None:
            return None
        said = sorted(each.SerializeToString() for each in node.attribute)
        return repr((node.input[0], list(weights.dims[1:]), weights.data_type, said)).encode()

    def _joined(self, family: list[Any]) -> Iterator[Any]:
        from onnx import helper, numpy_helper

        eldest = family[0]
        name = eldest.output[0]
        weights, biases = (
            [numpy_helper.to_array(self._constants[node.input[place]]) for node in family]
            for place in (1, 2)
        )
        inputs = [
            eldest.input[0],
            self._constant(f"{name}/weights", np.concatenate(weights)),
            self._constant(f"{name}/biases", np.concatenate(biases)),
        ]
        whole = helper.make_node("Conv", inputs, [f"{name}/joined"], f"{name}/joined")
        whole.attribute.extend(eldest.attribute)
        yield whole
        sizes = [len(part) for part in weights]
        yield self._split(f"{name}/joined", sizes, [node.output[0] for node in family])

    def _split(self, source: str, sizes: list[int], outputs: list[str]) -> Any:
        from onnx import helper

        name = f"{outputs[0]}/split"
        version = next(each.version for each in self._network.opset_import if not each.domain)
        if version < _SPLIT_TAKES_AN_INPUT:
            return helper.make_node("Split", [source], outputs, name, axis=1, split=sizes)
        counted = self._constant(f"{name}/sizes", np.array(sizes, np.int64))
        return helper.make_node("Split", [source, counted], outputs, name, axis=1)

    def _numbers(self, name: str) -> NDArray[Any] | None:
        from onnx import numpy_helper

        constant = self._constants.get(name)
        return None if constant is None else numpy_helper.to_array(constant)

    def _constant(self, name: str, numbers: NDArray[Any]) -> str:
        from onnx import numpy_helper

        constant = numpy_helper.from_array(np.ascontiguousarray(numbers), name)
        self._network.graph.initializer.append(constant)
        self._constants[name] = constant
        return name
