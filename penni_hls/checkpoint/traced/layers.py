"""What each call on maps becomes: a layer, or (see views) another view of the map it reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...ir.layers import (
    BatchNorm,
    Concat,
    Conv,
    GroupedConv,
    GroupedPenniConv,
    Linear,
    PenniConv,
)
from ...ir.windows import short
from .arithmetic import ARITHMETIC
from .clips import CLIPS
from .fold import axes_of, integer
from .names import owner_of
from .pools import POOLS
from .program import Call, Constant, check_finite
from .resize import upsample
from .views import VIEWS, inside
from .walk import Act, Last, Value, Walk, chw, refuse
from .windows import dilated, dilated_kernel, pair, windows

Args = Mapping[str, Any]


def _weight(value: Any, call: Call, what: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """A constant argument as finite float32 of this shape; None stands for any length."""
    if not isinstance(value, Constant):
        raise refuse(call, f"its {what} is computed from the images")
    have = value.array.shape
    if len(have) != len(shape) or any(want not in (None, n) for n, want in zip(have, shape)) or 0 in have:
        wanted = "x".join("?" if n is None else str(n) for n in shape)
        raise refuse(call, f"its {what} has shape {'x'.join(map(str, have)) or 'scalar'}, but {wanted} is needed")
    with np.errstate(all="ignore"):
        values = np.ascontiguousarray(value.array, np.float32)
    return check_finite(value.name or f"the {what} of {call.label or call.what}", values)


def _bias(args: Args, call: Call, channels: int) -> np.ndarray | None:
    return None if args.get("bias") is None else _weight(args["bias"], call, "bias", (channels,))


def _conv(walk: Walk, call: Call, args: Args) -> Value:
    act, margins = inside(args["x"])
    x, spec = walk.map_of(act, call)
    channels = spec.shape[2]
    groups = integer(args.get("groups", 1))
    if groups < 1 or channels % groups:
        raise refuse(call, f"its {groups} groups do not divide the {channels} channels that it reads")
    given = args["weight"]
    weight = _weight(given, call, "weight", (None, channels // groups, None, None))
    if len(weight) % groups:
        raise refuse(call, f"its {groups} groups do not divide the {len(weight)} channels that it gives")
    dilation = pair(call, "dilation", args.get("dilation", 1))
    stride = pair(call, "stride", args.get("stride", 1))
    spread = dilated_kernel(call, weight.shape[2:], dilation)
    window = windows(call, spread, stride, args.get("pad", 0), margins, spec)
    if dilation != (1, 1):
        walk.budget.spend((*weight.shape[:2], *spread))
    bias = _bias(args, call, len(weight))
    factors = _factors(given, call, weight.shape)
    settings = (short(window.stride), short(window.pads), bias)
    op: Conv | PenniConv
    if factors is None:
        weight = dilated(weight, dilation)
        op = Conv(spec, weight, *settings) if groups == 1 else GroupedConv(spec, weight, *settings, groups)
        owner = owner_of(given.name)
    else:
        coefs, basis = factors
        basis = dilated(basis.reshape(-1, *weight.shape[2:]), dilation)
        parts = (spec, basis, coefs.reshape(*weight.shape[:2], -1), *settings)
        op = PenniConv(*parts) if groups == 1 else GroupedPenniConv(*parts, groups)
        owner = owner_of(given.factors[0].name)
    return walk.add_layer(op, (x,), "conv", call, owner)


def _factors(weight: Constant, call: Call, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """coefs (C_out*C_in, d) and basis (d, kh*kw), where the weight is their product and larger than 1x1."""
    rows, taps = shape[0] * shape[1], shape[2] * shape[3]
    if weight.factors is None or taps == 1:
        return None
    coefs, basis = (factor.array for factor in weight.factors)
    if len(coefs) != rows or basis.shape[1] != taps or len(basis) > taps:
        return None
    coefs_, basis_ = weight.factors
    return _weight(coefs_, call, "coefs", coefs.shape), _weight(basis_, call, "basis", basis.shape)


def _batch_norm(walk: Walk, call: Call, args: Args) -> Value:
    x = walk.whole(args["x"], call)
    spec = walk.spec(x)
    channels = spec.shape[2]
    if x.shape not in (chw(spec), (channels,)):
        raise refuse(call, f"it reads values of shape {list(x.shape)}; channels must come first")
    ones = Constant(np.ones(channels, np.float32))
    parts = {
        name: _weight(ones if args.get(name) is None and name == "gamma" else args.get(name), call, name, (channels,))
        for name in ("gamma", "mean", "var")
    }
    beta = (
        np.zeros(channels, np.float32) if args.get("beta") is None else _weight(args["beta"], call, "beta", (channels,))
    )
    eps = float(args["eps"])
    if not 0 <= eps < 1e30 or parts["var"].min() < 0 or parts["var"].min() + eps <= 0:
        raise refuse(call, "its variances (with eps) are not all positive")
    op = BatchNorm(spec, parts["gamma"], beta, parts["mean"], parts["var"], eps)
    owners = [owner_of(v.name) for v in (args.get("gamma"), args["mean"]) if isinstance(v, Constant) and v.name]
    result = walk.add_layer(op, (x,), "bn", call, owners[0] if owners else "")
    return replace(result, shape=x.shape)


def _concat(walk: Walk, call: Call, args: Args) -> Value:
    """Two maps at a time. Of vectors, those that are the channels of one pixel."""
    given = args["xs"]
    if not given or not all(isinstance(x, Act) for x in given):
        raise refuse(call, "it concatenates a constant with maps; only maps are supported")
    parts = [walk.whole(x, call) for x in given]
    rank = len(parts[0].shape)
    if axes_of(args["axis"], rank + 1) != (1,):
        raise refuse(call, f"it concatenates along axis {integer(args['axis'])}; only channels, axis 1, are supported")
    specs = [walk.spec(x) for x in parts]
    shapes = [x.shape for x in parts]
    channels_first = all(shape in (chw(spec), chw(spec)[:1]) for shape, spec in zip(shapes, specs))
    if not channels_first or any(shape[1:] != shapes[0][1:] for shape in shapes) or (rank == 1 and specs[0].pixels > 1):
        raise refuse(call, f"it concatenates values of shapes {', '.join(map(str, map(list, shapes)))}")
    result = parts[0]
    for part in parts[1:]:
        result = walk.add_layer(Concat(walk.spec(result), walk.spec(part)), (result, part), "concat", call)
    return replace(result, shape=(sum(shape[0] for shape in shapes), *shapes[0][1:]))


def _linear(walk: Walk, call: Call, args: Args) -> Value:
    x, spec = walk.flat(args["x"], call)
    weight = _weight(args["weight"], call, "weight", (None, math.prod(spec.shape)))
    op = Linear(spec, weight, _bias(args, call, len(weight)))
    result = walk.add_layer(op, (x,), "linear", call, owner_of(args["weight"].name))
    return replace(result, shape=(len(weight),))


def _matmul(walk: Walk, call: Call, args: Args) -> Value:
    if not isinstance(args["y"], Constant) or args["y"].array.ndim != 2:
        raise refuse(call, "only a product of features with a constant matrix is supported")
    weight = Constant(args["y"].array.T, args["y"].name)
    return _linear(walk, call, {"x": args["x"], "weight": weight, "bias": args.get("bias")})


def _last(walk: Walk, call: Call, args: Args) -> Value:
    """Softmax, sigmoid and argmax over the classes: the order of the logits is that of what they give."""
    act = args["x"]
    axis = args.get("axis", 1)
    if axis is None or axes_of(axis, len(act.shape) + 1) != (1,):
        raise refuse(call, "at the end only one over the classes, axis 1, can be left out; leave it out of the file")
    return Last(call, act)


HANDLERS: Mapping[str, Callable[[Walk, Call, Args], Value]] = {
    "conv": _conv,
    "batch_norm": _batch_norm,
    "concat": _concat,
    "last": _last,
    "linear": _linear,
    "matmul": _matmul,
    "upsample": upsample,
    **ARITHMETIC,
    **CLIPS,
    **POOLS,
    **VIEWS,
}
