"""Operations of ONNX, opset 7 to the newest -> calls of the traced vocabulary.

Arguments that moved from attributes to inputs between opsets are looked for in both places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import CheckpointError
from .advice import UNSUPPORTED
from .program import Constant, Ref

FLOATS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}  # TensorProto.DataType
INTEGERS = (2, 3, 4, 5, 6, 7, 12, 13)
AUTO_PAD = {"VALID": "valid", "SAME_UPPER": "same", "SAME_LOWER": "same_lower"}


@dataclass(frozen=True, eq=False)
class Operation:
    """A node. inputs: values by name, "" where one is left out. constants: those known before the node."""

    type: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]
    constants: Mapping[str, Constant]

    def input(self, index: int) -> Ref | None:
        return Ref(self.inputs[index]) if len(self.inputs) > index and self.inputs[index] else None

    def needed(self, index: int) -> Ref:
        found = self.input(index)
        if found is None:
            raise CheckpointError(f"its input {index} is missing")
        return found

    def either(self, index: int, attribute: str) -> Any:
        """An input, or in older opsets an attribute; None where neither is there."""
        found = self.input(index)
        return self.attributes.get(attribute) if found is None else found

    def require(self, attribute: str, *values: Any) -> None:
        """CheckpointError where the attribute is there and is none of `values`."""
        if attribute in self.attributes and self.attributes[attribute] not in values:
            raise CheckpointError(f"{attribute} {self.attributes[attribute]} is not supported")


Translated = tuple[str, dict[str, Any]]


def translate(op: Operation) -> Translated:
    """(operation, arguments); any other operation becomes "unknown"."""
    function = _KNOWN.get(op.type)
    return function(op) if function else ("unknown", {})


def _padding(op: Operation) -> Any:
    auto = op.attributes.get("auto_pad", "NOTSET")
    if auto in AUTO_PAD:
        return AUTO_PAD[auto]
    op.require("auto_pad", "NOTSET", "")
    return op.attributes.get("pads", 0)


def _conv(op: Operation) -> Translated:
    return "conv", {
        "x": op.needed(0), "weight": op.needed(1), "bias": op.input(2), "stride": op.attributes.get("strides", 1),
        "pad": _padding(op), "dilation": op.attributes.get("dilations", 1), "groups": op.attributes.get("group", 1),
    }  # fmt: skip


def _batch_norm(op: Operation) -> Translated:
    if op.attributes.get("training_mode"):
        raise CheckpointError("BatchNorm in training mode; export the network in evaluation mode")
    op.require("spatial", 1)
    return "batch_norm", {
        "x": op.needed(0), "gamma": op.needed(1), "beta": op.needed(2), "mean": op.needed(3), "var": op.needed(4),
        "eps": op.attributes.get("epsilon", 1e-5),
    }  # fmt: skip


def _relu(op: Operation) -> Translated:
    return "relu", {"x": op.needed(0)}


def _clip(op: Operation) -> Translated:
    return "clip", {"x": op.needed(0), "lo": op.either(1, "min"), "hi": op.either(2, "max")}


def _binary(name: str) -> Callable[[Operation], Translated]:
    def binary(op: Operation) -> Translated:
        if len(op.inputs) != 2:
            raise CheckpointError(f"{len(op.inputs)} inputs, but two are supported")
        return name, {"x": op.needed(0), "y": op.needed(1)}

    return binary


def _negative(op: Operation) -> Translated:
    return "mul", {"x": op.needed(0), "y": -1}


def _max_pool(op: Operation) -> Translated:
    op.require("storage_order", 0)
    return "max_pool", {
        "x": op.needed(0), "kernel": op.attributes["kernel_shape"], "stride": op.attributes.get("strides", 1),
        "pad": _padding(op), "dilation": op.attributes.get("dilations", 1), "ceil": op.attributes.get("ceil_mode", 0),
    }  # fmt: skip


def _avg_pool(op: Operation) -> Translated:
    return "avg_pool", {
        "x": op.needed(0), "kernel": op.attributes["kernel_shape"], "stride": op.attributes.get("strides", 1),
        "pad": _padding(op), "dilation": op.attributes.get("dilations", 1), "ceil": op.attributes.get("ceil_mode", 0),
        "include": op.attributes.get("count_include_pad", 0),
    }  # fmt: skip


def _global_pool(op: Operation) -> Translated:
    return "mean", {"x": op.needed(0), "axes": None, "keep": True}


def _global_max(op: Operation) -> Translated:
    return "adaptive", {"x": op.needed(0), "size": 1, "max": True}


def _mean(op: Operation) -> Translated:
    axes = op.either(1, "axes")
    if axes is None and op.attributes.get("noop_with_empty_axes"):
        return "identity", {"x": op.needed(0)}
    keep = bool(op.attributes.get("keepdims", 1))
    return "mean", {"x": op.needed(0), "axes": (0,) if axes is None else axes, "keep": keep}


def _maximum(op: Operation) -> Translated:
    name, args = _mean(op)
    return name, args if name == "identity" else {**args, "max": True}


def _nearest(op: Operation) -> None:
    if op.attributes.get("mode", "nearest") != "nearest":
        name, way_out = UNSUPPORTED["upsamplebilinear2d"]
        raise CheckpointError(f"{name} is not supported; {way_out}")


def _softmax(op: Operation) -> Translated:
    """The axis that is not given is the last one, or before opset 13 the one of channels; of vectors both are that."""
    return "last", {"x": op.needed(0), "axis": op.attributes.get("axis", -1)}


def _sigmoid(op: Operation) -> Translated:
    return "last", {"x": op.needed(0), "axis": 1}


def _argmax(op: Operation) -> Translated:
    return "last", {"x": op.needed(0), "axis": op.attributes.get("axis", 0)}


def _upsample(op: Operation) -> Translated:
    _nearest(op)
    settings = {"axes": None, "transformation": "asymmetric", "rounding": "floor"}
    return "upsample", {"x": op.needed(0), "scales": op.either(1, "scales"), "sizes": None, **settings}


def _resize(op: Operation) -> Translated:
    """Before opset 11 it had two inputs, and was what Upsample is."""
    if len(op.inputs) == 2:
        return _upsample(op)
    _nearest(op)
    op.require("antialias", 0)
    op.require("keep_aspect_ratio_policy", "stretch")
    sizes = op.input(3)
    return "upsample", {
        "x": op.needed(0), "scales": op.input(2) if sizes is None else None, "sizes": sizes,
        "axes": op.attributes.get("axes"),
        "transformation": op.attributes.get("coordinate_transformation_mode", "half_pixel"),
        "rounding": op.attributes.get("nearest_mode", "round_prefer_floor"),
    }  # fmt: skip


def _flatten(op: Operation) -> Translated:
    op.require("axis", 1)
    return "flatten", {"x": op.needed(0), "start": 1, "end": -1}


def _reshape(op: Operation) -> Translated:
    shape = op.either(1, "shape")
    if shape is None:
        raise CheckpointError("its shape is missing")
    return "reshape", {"x": op.needed(0), "shape": shape, "zero_copies": not op.attributes.get("allowzero", 0)}


def _squeeze(op: Operation) -> Translated:
    return "squeeze", {"x": op.needed(0), "axes": op.either(1, "axes")}


def _unsqueeze(op: Operation) -> Translated:
    return "unsqueeze", {"x": op.needed(0), "axes": op.either(1, "axes")}


def _gemm(op: Operation) -> Translated:
    """Without its third input: that is added by a call of its own."""
    op.require("alpha", 1.0)
    op.require("beta", 1.0)
    op.require("transA", 0)
    if op.attributes.get("transB", 0):
        return "linear", {"x": op.needed(0), "weight": op.needed(1), "bias": None}
    return "matmul", {"x": op.needed(0), "y": op.needed(1)}


def _pad(op: Operation) -> Translated:
    op.require("mode", "constant")
    return "pad", {
        "x": op.needed(0), "pads": op.either(1, "pads"), "value": op.either(2, "value"), "axes": op.input(3),
    }  # fmt: skip


def _slice(op: Operation) -> Translated:
    return "slice", {
        "x": op.needed(0), "starts": op.either(1, "starts"), "ends": op.either(2, "ends"),
        "axes": op.either(3, "axes"), "steps": op.input(4),
    }  # fmt: skip


def _identity(op: Operation) -> Translated:
    """A constant takes the new name where that is one of a parameter: so torch shares equal ones."""
    plain = "." in op.output and "/" not in op.output and ":" not in op.output
    return "identity", {"x": op.needed(0), "name": op.output if plain else ""}


def _dropout(op: Operation) -> Translated:
    training = op.input(2)
    if training is not None:
        known = op.constants.get(training.name)
        if known is None or np.any(known.array):
            raise CheckpointError("dropout in training mode; export the network in evaluation mode")
    return "identity", {"x": op.needed(0), "name": ""}


def _cast(op: Operation) -> Translated:
    to = op.attributes["to"]
    return "cast", {"x": op.needed(0), "to": FLOATS.get(to, "int" if to in INTEGERS else "other")}


def _cast_like(op: Operation) -> Translated:
    return "cast", {"x": op.needed(0), "to": "like"}


def _shape(op: Operation) -> Translated:
    return "shape", {"x": op.needed(0), "start": op.attributes.get("start"), "end": op.attributes.get("end")}


def _gather(op: Operation) -> Translated:
    return "gather", {"x": op.needed(0), "indices": op.needed(1), "axis": op.attributes.get("axis", 0)}


def _concat(op: Operation) -> Translated:
    return "concat", {"xs": tuple(map(Ref, op.inputs)), "axis": op.attributes["axis"]}


def _full(op: Operation) -> Translated:
    value = op.attributes.get("value")
    return "full", {"shape": op.needed(0), "value": 0.0 if value is None else value}


def _expand(op: Operation) -> Translated:
    return "expand", {"x": op.needed(0), "shape": op.needed(1)}


def _transpose(op: Operation) -> Translated:
    return "transpose", {"x": op.needed(0), "perm": op.attributes.get("perm")}


_KNOWN: dict[str, Callable[[Operation], Translated]] = {
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "Relu": _relu,
    "Clip": _clip,
    "Min": _binary("minimum"),
    "Max": _binary("maximum"),
    "Add": _binary("add"),
    "Sum": _binary("add"),
    "Sub": _binary("sub"),
    "Neg": _negative,
    "Mul": _binary("mul"),
    "Div": _binary("div"),
    "MatMul": _binary("matmul"),
    "MaxPool": _max_pool,
    "AveragePool": _avg_pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_max,
    "ReduceMean": _mean,
    "ReduceMax": _maximum,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Sigmoid": _sigmoid,
    "ArgMax": _argmax,
    "Resize": _resize,
    "Upsample": _upsample,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Gemm": _gemm,
    "Pad": _pad,
    "Slice": _slice,
    "Identity": _identity,
    "Dropout": _dropout,
    "Cast": _cast,
    "CastLike": _cast_like,
    "Shape": _shape,
    "Gather": _gather,
    "Concat": _concat,
    "ConstantOfShape": _full,
    "Expand": _expand,
    "Transpose": _transpose,
}
