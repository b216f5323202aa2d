"""What each call on maps becomes: a layer, or (see views) another view of the map it reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...ir.layers import (
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    GlobalAvgPool,
    GroupedConv,
    GroupedPenniConv,
    Linear,
    MapSpec,
    MaxPool,
    PenniConv,
)
from .clips import CLIPS
from .fold import axes_of, integer, integers
from .names import owner_of
from .program import Call, Constant, check_finite
from .resize import upsample
from .views import VIEWS, is_view_of_map, strided
from .walk import Act, Value, Walk, chw, refuse

Args = Mapping[str, Any]

MAX_WINDOW = 256  # rows and columns


def _same(call: Call, what: str, value: Any) -> int:
    """The number that all of `value` equal, as the sides of a square kernel do."""
    numbers = integers(value)
    if not numbers or len(set(numbers)) != 1:
        raise refuse(call, f"its {what} is {list(numbers)}; only the same for rows and columns is supported")
    return numbers[0]


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


def _pad(call: Call, pad: Any, kernel: int, stride: int, side: tuple[int, int]) -> int:
    """The zeros around the map on each side. pad: numbers, or one of PADDINGS."""
    if pad == "valid":
        return 0
    if isinstance(pad, str):  # as many rows out as in, divided by the stride
        total = {max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in side}
        if len(total) != 1 or min(total) % 2:
            raise refuse(call, f"its padding '{pad}' is not the same on all sides")
        return min(total) // 2
    return _same(call, "padding", pad)


def _fits(call: Call, kernel: int, stride: int, pad: int, side: tuple[int, int]) -> None:
    if not 1 <= kernel <= MAX_WINDOW or stride < 1 or pad < 0 or min(side) + 2 * pad < kernel:
        text = f"a {kernel}x{kernel} window, stride {stride}, padding {pad}, does not fit a {side[0]}x{side[1]} map"
        raise refuse(call, text)


def _conv(walk: Walk, call: Call, args: Args) -> Value:
    x, spec = walk.map_of(args["x"], call)
    side, channels = spec.shape[:2], spec.shape[2]
    if _same(call, "dilation", args.get("dilation", 1)) != 1:
        raise refuse(call, "convolutions with dilation are not supported")
    groups = integer(args.get("groups", 1))
    if groups < 1 or channels % groups:
        raise refuse(call, f"its {groups} groups do not divide the {channels} channels that it reads")
    given = args["weight"]
    weight = _weight(given, call, "weight", (None, channels // groups, None, None))
    if len(weight) % groups:
        raise refuse(call, f"its {groups} groups do not divide the {len(weight)} channels that it gives")
    k = _same(call, "kernel", weight.shape[2:])
    stride = _same(call, "stride", args.get("stride", 1))
    pad = _pad(call, args.get("pad", 0), k, stride, side)
    _fits(call, k, stride, pad, side)
    bias = _bias(args, call, len(weight))
    factors = _factors(given, call, weight.shape)
    op: Conv | PenniConv
    if factors is None:
        dense = (spec, weight, stride, pad, bias)
        op = Conv(*dense) if groups == 1 else GroupedConv(*dense, groups)
        owner = owner_of(given.name)
    else:
        coefs, basis = factors
        parts = (spec, basis.reshape(-1, k, k), coefs.reshape(*weight.shape[:2], -1), stride, pad, bias)
        op = PenniConv(*parts) if groups == 1 else GroupedPenniConv(*parts, groups)
        owner = owner_of(given.factors[0].name)
    return walk.add_layer(op, (x,), "conv", call, owner)


def _factors(weight: Constant, call: Call, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """coefs (C_out*C_in, d) and basis (d, k*k), where the weight is their product and larger than 1x1."""
    if weight.factors is None or shape[2] == 1:
        return None
    rows, taps = shape[0] * shape[1], shape[2] * shape[3]
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


def _add(walk: Walk, call: Call, args: Args) -> Value:
    x, y = args["x"], args["y"]
    if not isinstance(x, Act):
        x, y = y, x
    if not isinstance(y, Act):
        return _add_bias(walk, call, x, y)
    x, y = walk.whole(x, call), walk.whole(y, call)
    if x.shape != y.shape or walk.spec(x) != walk.spec(y):
        raise refuse(call, f"it adds maps of shapes {list(x.shape)} and {list(y.shape)}; only equal ones are supported")
    return replace(walk.add_layer(Add(walk.spec(x)), (x, y), "add", call), shape=x.shape)


def _add_bias(walk: Walk, call: Call, x: Act, constant: Any) -> Value:
    """A constant added to what a convolution or linear layer gives is its bias."""
    draft = walk.drafts[x.node]
    if not x.plain or not isinstance(draft.op, Conv | PenniConv | Linear) or not isinstance(constant, Constant):
        raise refuse(call, "a constant is added to something other than a convolution or linear layer")
    channels = draft.op.out_spec.shape[2]
    values = constant.array
    while values.ndim and values.shape[0] == 1 and values.ndim > len(x.shape):
        values = values[0]
    wanted = (channels, *(1,) * (len(x.shape) - 1))
    if values.shape != wanted or (len(x.shape) == 1 and x.shape != (channels,)):
        raise refuse(
            call, f"a constant of shape {list(constant.array.shape)} is added, which is not one value per channel"
        )
    bias = _weight(Constant(values.reshape(-1), constant.name), call, "bias", (channels,))
    old = draft.op.bias
    op = replace(draft.op, bias=bias if old is None else old + bias)
    origin = draft.call or call
    result = walk.add_layer(op, tuple(Act(i, ()) for i in draft.inputs), draft.kind, origin, draft.owner)
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


def _unpadded(args: Args) -> bool:
    pad = args.get("pad", 0)
    return pad == "valid" if isinstance(pad, str) else set(integers(pad)) == {0}


def _windows(walk: Walk, call: Call, args: Args) -> tuple[Act, tuple[MapSpec, int, int, int]]:
    """What a pooling reads, and (its map, kernel, stride, padding)."""
    k = _same(call, "kernel", args["kernel"])
    stride = k if args.get("stride") in (None, ()) else _same(call, "stride", args["stride"])
    x, spec = walk.map_of(args["x"], call)
    side = spec.shape[:2]
    pad = _pad(call, args.get("pad", 0), k, stride, side)
    if _same(call, "dilation", args.get("dilation", 1)) != 1:
        raise refuse(call, "pooling with dilation is not supported")
    _fits(call, k, stride, pad, side)
    if 2 * pad > k:
        raise refuse(call, f"its padding {pad} is more than half of its {k}x{k} window")
    if args.get("ceil") and any((n + 2 * pad - k) % stride for n in side):
        raise refuse(call, "ceil_mode makes a difference here; only windows entirely within the map are supported")
    return x, (spec, k, stride, pad)


def _max_pool(walk: Walk, call: Call, args: Args) -> Value:
    k = _same(call, "kernel", args["kernel"])
    stride = k if args.get("stride") in (None, ()) else _same(call, "stride", args["stride"])
    if k == 1 and stride > 0 and is_view_of_map(walk, args["x"]) and _unpadded(args):
        return strided(args["x"], (stride, stride), call)
    x, windows = _windows(walk, call, args)
    return walk.add_layer(MaxPool(*windows), (x,), "maxpool", call)


def _pool(walk: Walk, call: Call, value: Act) -> Act:
    x = walk.whole(value, call)
    return walk.add_layer(GlobalAvgPool(walk.spec(x)), (x,), "pool", call)


def _avg_pool(walk: Walk, call: Call, args: Args) -> Value:
    kernel = integers(args["kernel"])
    kernel = kernel * 2 if len(kernel) == 1 else kernel
    act = args["x"]
    if kernel == (1, 1) and _unpadded(args) and is_view_of_map(walk, act):
        stride = integers(args["stride"]) if args.get("stride") not in (None, ()) else (1, 1)
        if min(stride) > 0:
            return strided(act, (stride[0], stride[-1]), call)
    if act.margin and _unpadded(args):  # so some exporters write zeros that are counted
        c, h, w = act.shape
        inner = replace(act, shape=(c, h - 2 * act.margin, w - 2 * act.margin), margin=0)
        return _avg_pool(walk, call, {**args, "x": inner, "pad": act.margin, "include": True})
    x, spec = walk.map_of(act, call)
    if kernel == spec.shape[:2] and _unpadded(args):
        return _pool(walk, call, x)
    x, windows = _windows(walk, call, args)
    if windows[-1] and not args.get("include"):
        text = "its mean leaves padding out (count_include_pad=False); only a mean with the zeros counted is supported"
        raise refuse(call, text)
    return walk.add_layer(AvgPool(*windows), (x,), "avgpool", call)


def _adaptive(walk: Walk, call: Call, args: Args) -> Value:
    x, spec = walk.map_of(args["x"], call)
    size = integers(args["size"])
    size = size * 2 if len(size) == 1 else size
    if size == spec.shape[:2]:
        return x
    if size == (1, 1):
        return _pool(walk, call, x)
    kernels = {have // want if want > 0 and have % want == 0 else 0 for have, want in zip(spec.shape, size)}
    if len(kernels) > 1 or 0 in kernels:
        text = f"average pooling of a {spec} map to {size[0]}x{size[1]}: only windows of one square size are supported"
        raise refuse(call, text)
    (k,) = kernels
    return walk.add_layer(AvgPool(spec, k, k), (x,), "avgpool", call)


def _mean(walk: Walk, call: Call, args: Args) -> Value:
    x = walk.whole(args["x"], call)
    spec = walk.spec(x)
    rank = len(x.shape) + 1
    axes = range(2, rank) if args.get("axes") is None else axes_of(args["axes"], rank)
    if sorted(axes) != list(range(2, rank)) or rank < 3 or x.shape[0] != spec.shape[2]:
        raise refuse(call, f"a mean over axes {list(axes)} of {rank}: only over all rows and columns is supported")
    return replace(_pool(walk, call, x), shape=(x.shape[0], *(1,) * (rank - 2) * bool(args.get("keep"))))


HANDLERS: Mapping[str, Callable[[Walk, Call, Args], Value]] = {
    "conv": _conv,
    "batch_norm": _batch_norm,
    "add": _add,
    "concat": _concat,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "adaptive": _adaptive,
    "mean": _mean,
    "upsample": upsample,
    **CLIPS,
    **VIEWS,
}
