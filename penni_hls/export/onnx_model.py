"""Graph[Layer] -> an ONNX model, written by onnx.helper: float32, one input `images` (N, C, H, W), one output `logits`."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .. import __version__
from ..ir.graph import Graph, Node
from ..ir.layers import (
    Add,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    GlobalAvgPool,
    Input,
    Layer,
    Linear,
    MaxPool,
    PadShortcut,
    PenniConv,
    Relu,
    Scale,
    Upsample,
)
from .torch_module import factors

OPSET = 17
IR_VERSION = 8  # the one of that opset's time, so that older run times take it
LAST = np.iinfo(np.int64).max


def onnx_model(graph: Graph[Layer], penni: bool = False) -> onnx.ModelProto:
    """The network, checked by onnx.checker.

    Nodes have the names of the layers, weights those of torch (`conv1.weight`). penni: the weight of a decomposed layer is
    Reshape(MatMul(coefs, basis)), by which it can be read back as one; else it is dense.
    """
    builder = _Builder(penni)
    for node in graph:
        builder.node(node)
    builder.flat_output(graph.output)
    images, classes = graph.input.op, graph.output.op.out_spec
    assert isinstance(images, Input)
    h, w, c = images.spec.shape
    shape: list[str | int | None] = (
        ["N", classes.shape[2]] if classes.pixels == 1 else ["N", classes.shape[2], *classes.shape[:2]]
    )
    model = helper.make_model(
        helper.make_graph(
            builder.nodes,
            "network",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", c, h, w])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)],
            builder.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="penni-hls",
        producer_version=__version__,
        doc_string=f"images: (pixel / 255 - mean) / std, mean {images.mean}, std {images.std}",
    )
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


class _Builder:
    """Nodes and weights so far. values: of each layer the name of its result and the number of its axes, 4 or 2."""

    def __init__(self, penni: bool) -> None:
        self.penni = penni
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[TensorProto] = []
        self.values: dict[str, tuple[str, int]] = {}

    def _weight(self, name: str, values: np.ndarray) -> str:
        dtype = np.int64 if values.dtype.kind in "iu" else np.float32
        self.weights.append(numpy_helper.from_array(np.array(values, dtype, order="C"), name))
        return name

    def _emit(self, kind: str, name: str, inputs: list[str], suffix: str = "", **attributes: Any) -> str:
        """Append a node; the name of its result."""
        output = f"{name}{suffix}:out"
        self.nodes.append(helper.make_node(kind, inputs, [output], f"{name}{suffix}", **attributes))
        return output

    def node(self, node: Node[Layer]) -> None:
        name, op = node.name, node.op
        sources = [self.values[source] for source in node.inputs]
        match op:
            case Input():
                self.values[name] = ("images", 4)
            case Linear():
                flat = self._emit("Flatten", name, [sources[0][0]], ".flatten", axis=1)
                inputs = [flat, self._weight(f"{name}.weight", op.weight), *self._bias(name, op.bias)]
                self.values[name] = (self._emit("Gemm", name, inputs, transB=1), 2)
            case BatchNorm():
                vectors = {"weight": op.gamma, "bias": op.beta, "running_mean": op.mean, "running_var": op.var}
                weights = [self._weight(f"{name}.{part}", values) for part, values in vectors.items()]
                result = self._emit("BatchNormalization", name, [sources[0][0], *weights], epsilon=op.eps)
                self.values[name] = (result, sources[0][1])
            case Relu():
                self.values[name] = (self._emit("Relu", name, [sources[0][0]]), sources[0][1])
            case Scale():
                self.values[name] = (self._scale(name, op, *sources[0]), sources[0][1])
            case Clip():
                bounds = (("min", op.lo), ("max", op.hi))
                given = [
                    "" if v is None else self._weight(f"{name}.{part}", np.array(v, np.float32)) for part, v in bounds
                ]
                self.values[name] = (self._emit("Clip", name, [sources[0][0], *given]), sources[0][1])
            case Add() | Concat():
                rank = max(axes for _, axes in sources)
                maps = [self._map(name, source, i, op, rank) for i, source in enumerate(sources)]
                kind, attributes = ("Add", {}) if isinstance(op, Add) else ("Concat", {"axis": 1})
                self.values[name] = (self._emit(kind, name, maps, **attributes), rank)
            case _:
                self.values[name] = (self._on_map(name, op, self._map(name, sources[0], 0, op, 4)), 4)

    def _on_map(self, name: str, op: Layer, x: str) -> str:
        match op:
            case Conv() | PenniConv():
                inputs = [x, self._conv_weight(name, op), *self._bias(name, op.bias)]
                in_groups: dict[str, Any] = {"group": op.groups} if op.groups > 1 else {}
                return self._emit("Conv", name, inputs, **_window(op), **in_groups)
            case MaxPool():
                return self._emit("MaxPool", name, [x], **_window(op))
            case AvgPool():
                return self._emit("AveragePool", name, [x], count_include_pad=1, **_window(op))
            case GlobalAvgPool():
                return self._emit("GlobalAveragePool", name, [x])
            case Upsample():
                scales = self._weight(f"{name}.scales", np.array([1, 1, op.factor, op.factor], np.float32))
                settings = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
                return self._emit("Resize", name, [x, "", scales], mode="nearest", **settings)
            case PadShortcut():
                return self._shortcut(name, op, x)
        raise TypeError(f"{name}: {type(op).__name__}")

    def _conv_weight(self, name: str, op: Conv | PenniConv) -> str:
        if not (self.penni and isinstance(op, PenniConv)):
            return self._weight(f"{name}.weight", op.dense)
        parts = factors(op)
        inputs = [self._weight(f"{name}.{part}", parts[part]) for part in ("coefs", "basis")]
        product = self._emit("MatMul", name, inputs, ".product")
        shape = self._weight(f"{name}.shape", np.array(op.dense.shape, np.int64))
        return self._emit("Reshape", name, [product, shape], ".kernels")

    def _bias(self, name: str, bias: np.ndarray | None) -> list[str]:
        return [] if bias is None else [self._weight(f"{name}.bias", bias)]

    def _scale(self, name: str, op: Scale, x: str, rank: int) -> str:
        """A product and a sum; of them only what changes something, or the product."""
        shape = (-1, *(1,) * (rank - 2))
        if op.offset.any() and (op.gain == 1).all():
            return self._emit("Add", name, [x, self._weight(f"{name}.offset", op.offset.reshape(shape))])
        product = [x, self._weight(f"{name}.gain", op.gain.reshape(shape))]
        if not op.offset.any():
            return self._emit("Mul", name, product)
        offset = self._weight(f"{name}.offset", op.offset.reshape(shape))
        return self._emit("Add", name, [self._emit("Mul", name, product, ".product"), offset])

    def _shortcut(self, name: str, op: PadShortcut, x: str) -> str:
        if op.stride > 1:
            numbers = {"starts": [0, 0], "ends": [LAST, LAST], "axes": [2, 3], "steps": [op.stride] * 2}
            inputs = [self._weight(f"{name}.{part}", np.array(v, np.int64)) for part, v in numbers.items()]
            x = self._emit("Slice", name, [x, *inputs], ".slice")
        pads = np.array([0, op.offset, 0, 0, 0, op.channels - op.offset - op.x.shape[2], 0, 0], np.int64)
        return self._emit("Pad", name, [x, self._weight(f"{name}.pads", pads)])

    def _map(self, name: str, source: tuple[str, int], index: int, op: Layer, rank: int) -> str:
        """The value with as many axes as needed."""
        value, axes = source
        if axes == rank:
            return value
        shape = self._weight(f"{name}.map{index}", np.array([-1, op.in_specs[index].shape[2], 1, 1], np.int64))
        return self._emit("Reshape", name, [value, shape], f".reshape{index}")

    def flat_output(self, last: Node[Layer]) -> None:
        """End in `logits`: (N, classes) where the last map is of one pixel."""
        value, axes = self.values[last.name]
        flat = axes == 4 and last.op.out_spec.pixels == 1
        attributes: dict[str, Any] = {"axis": 1} if flat else {}
        self.nodes.append(
            helper.make_node("Flatten" if flat else "Identity", [value], ["logits"], "logits", **attributes)
        )


def _window(op: Conv | PenniConv | MaxPool | AvgPool) -> dict[str, Any]:
    window = op.window
    return {"kernel_shape": window.kernel, "strides": window.stride, "pads": window.pads}
