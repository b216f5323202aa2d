"""Sums, differences, products and quotients: of two maps (sums and differences), or of a map and constants.

A constant goes with a map where it is one number, or one per channel. What is multiplied or added to a convolution or
linear layer alone is left to `fold_batchnorm`, but for a bias: a constant sum right behind such a layer is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...ir.layers import Add, Conv, Linear, PenniConv, Scale
from .fold import array
from .names import owner_of
from .program import Call, Constant, check_finite
from .walk import Act, Unknown, Value, Walk, chw, refuse

Args = Mapping[str, Any]


def _numbers(walk: Walk, call: Call, x: Act, constant: Any) -> np.ndarray:
    """A constant that goes with the map `x`, as float64: (1,) or one number per channel."""
    values = np.asarray(array(constant))
    spec = walk.spec(x)
    channels = spec.shape[2]
    shape = values.shape
    while len(shape) > len(x.shape) and shape[0] == 1:
        shape = shape[1:]
    by_channel = x.shape in (chw(spec), (channels,)) and shape == (channels, *(1,) * (len(x.shape) - 1))
    if values.dtype.kind not in "iufb" or not (values.size == 1 or by_channel):
        text = f"a constant of shape {list(values.shape)} and values of shape {list(x.shape)}"
        raise refuse(call, f"{text}: only one number, or one per channel, is supported")
    name = (
        constant.name
        if isinstance(constant, Constant) and constant.name
        else f"a constant of {call.label or call.what}"
    )
    return check_finite(name, values.reshape(-1).astype(np.float64))


def _scaled(walk: Walk, call: Call, x: Act, gain: np.ndarray, offset: np.ndarray, owner: str = "") -> Act:
    """x * gain + offset. A sum right behind a product is part of the same Scale."""
    x = walk.whole(x, call)
    draft, shape = walk.drafts[x.node], x.shape
    if isinstance(draft.op, Scale) and not draft.op.offset.any() and (gain == 1).all():
        gain = draft.op.gain
        x, call, owner = Act(draft.inputs[0], shape), draft.call or call, draft.owner
    with np.errstate(all="ignore"):
        op = Scale.of(walk.spec(x), gain, offset)
    for values in (op.gain, op.offset):
        check_finite(f"a constant of {call.label or call.what}", values)
    return replace(walk.add_layer(op, (x,), "scale", call, owner), shape=shape)


def _owner(constant: Any) -> str:
    return owner_of(constant.name) if isinstance(constant, Constant) else ""


def _plus(walk: Walk, call: Call, x: Act, constant: Any, sign: int = 1) -> Value:
    """A constant sum; behind a convolution or linear layer its bias."""
    x = walk.whole(x, call)
    values = _numbers(walk, call, x, constant) * sign
    draft = walk.drafts[x.node]
    if not isinstance(draft.op, Conv | PenniConv | Linear):
        return _scaled(walk, call, x, np.ones(1), values, _owner(constant))
    old = np.zeros(draft.op.out_spec.shape[2]) if draft.op.bias is None else draft.op.bias
    op = replace(draft.op, bias=check_finite(call.what, (old + values).astype(np.float32)))
    result = walk.add_layer(op, tuple(Act(i, ()) for i in draft.inputs), draft.kind, draft.call or call, draft.owner)
    return replace(result, shape=x.shape)


def _sum(walk: Walk, call: Call, x: Act, y: Act) -> Value:
    x, y = walk.whole(x, call), walk.whole(y, call)
    if x.shape != y.shape or walk.spec(x) != walk.spec(y):
        raise refuse(call, f"it adds maps of shapes {list(x.shape)} and {list(y.shape)}; only equal ones are supported")
    return replace(walk.add_layer(Add(walk.spec(x)), (x, y), "add", call), shape=x.shape)


def _signed_sum(sign: int) -> Callable[[Walk, Call, Args], Value]:
    """x + alpha*y, or x - alpha*y."""

    def signed_sum(walk: Walk, call: Call, args: Args) -> Value:
        x, y = args["x"], args["y"]
        factor = sign * float(np.asarray(array(args.get("alpha", 1))).item())
        if isinstance(y, Act):
            if isinstance(x, Act) and walk.whole(x, call) == walk.whole(y, call):  # exact, where rounding would show
                return _scaled(walk, call, x, np.full(1, 1 + factor), np.zeros(1))
            if factor != 1:
                y = _scaled(walk, call, y, np.full(1, factor), np.zeros(1))
            return _sum(walk, call, x, y) if isinstance(x, Act) else _plus(walk, call, y, x)
        return _plus(walk, call, x, y, factor)

    return signed_sum


def _multiply(walk: Walk, call: Call, args: Args) -> Value:
    x, y = args["x"], args["y"]
    if not isinstance(x, Act):
        x, y = y, x
    if isinstance(y, Act):
        return Unknown(call, "it multiplies two maps; only a product of a map and constants is supported")
    x = walk.whole(x, call)
    return _scaled(walk, call, x, _numbers(walk, call, x, y), np.zeros(1), _owner(y))


def _divide(walk: Walk, call: Call, args: Args) -> Value:
    x, y = args["x"], args["y"]
    if not isinstance(x, Act) or isinstance(y, Act):
        return Unknown(call, "it divides by a map; only a quotient of a map and constants is supported")
    x = walk.whole(x, call)
    divisor = _numbers(walk, call, x, y)
    if not divisor.all():
        raise refuse(call, "it divides by 0")
    return _scaled(walk, call, x, 1 / divisor, np.zeros(1), _owner(y))


ARITHMETIC: Mapping[str, Callable[[Walk, Call, Args], Value]] = {
    "add": _signed_sum(1),
    "sub": _signed_sum(-1),
    "mul": _multiply,
    "div": _divide,
}
