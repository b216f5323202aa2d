"""Calls that hold values between bounds: ReLU, ReLU6, hardtanh, clamp, and the minimum or maximum with a number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...ir.layers import Clip, Layer, Relu
from .program import Call, Constant
from .walk import Act, Value, Walk, refuse

Args = Mapping[str, Any]

UNBOUNDED = float(np.finfo(np.float32).max)  # so ONNX writes a bound that is not there


def _bound(call: Call, value: Any, farthest: float) -> float | None:
    """A bound as a number; None where it is absent, or `farthest` or the infinity beyond it."""
    if value is None:
        return None
    if isinstance(value, Act):
        raise refuse(call, "its bounds are computed from the images")
    number = float((value.array if isinstance(value, Constant) else np.asarray(value)).item())
    if number in (farthest, math.copysign(math.inf, farthest)):
        return None
    if not math.isfinite(number):
        raise refuse(call, f"its bound is {number}")
    return number


def _clip(walk: Walk, call: Call, args: Args) -> Value:
    lo, hi = _bound(call, args.get("lo"), -UNBOUNDED), _bound(call, args.get("hi"), UNBOUNDED)
    if not isinstance(args["x"], Act):
        raise refuse(call, "its first input does not come from the images")
    if lo is None and hi is None:
        return args["x"]
    kind = "relu" if (lo, hi) == (0, None) else "relu6" if (lo, hi) == (0, 6) else "clip"
    if kind == "relu6":
        call = replace(call, what="ReLU6")  # torch writes it as a hardtanh
    if lo is not None and hi is not None and lo >= hi:
        raise refuse(call, f"it clips to {lo:g} and {hi:g}; the first must be lower than the second")
    x = walk.whole(args["x"], call)
    spec = walk.spec(x)
    layer = Relu(spec) if kind == "relu" else Clip(spec, lo, hi)
    return replace(walk.add_layer(layer, (x,), kind, call), shape=x.shape)


def _relu(walk: Walk, call: Call, args: Args) -> Value:
    return _clip(walk, call, {"x": args["x"], "lo": 0.0})


def _with_number(bound: str) -> Callable[[Walk, Call, Args], Value]:
    def with_number(walk: Walk, call: Call, args: Args) -> Value:
        x, y = args["x"], args["y"]
        if not isinstance(x, Act):
            x, y = y, x
        if not isinstance(y, Constant) or y.array.size != 1:
            raise refuse(call, "only a minimum or maximum of a map and one number is supported")
        return _clip(walk, call, {"x": x, bound: y})

    return with_number


def never_negative(op: Layer) -> bool:
    return isinstance(op, Relu) or (isinstance(op, Clip) and op.lo is not None and op.lo >= 0)


CLIPS: Mapping[str, Callable[[Walk, Call, Args], Value]] = {
    "relu": _relu,
    "clip": _clip,
    "minimum": _with_number("hi"),
    "maximum": _with_number("lo"),
}
