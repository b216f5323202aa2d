"""Calls that pool: the maximum or the mean of windows, or of the whole map."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ...ir.layers import AvgPool, GlobalAvgPool, MapSpec, MaxPool
from ...ir.windows import Window, short
from .clips import never_negative
from .fold import axes_of, integers
from .program import Call
from .views import inside, is_view_of_map, strided
from .walk import Act, Value, Walk, chw, refuse
from .windows import pair, rounded_up, sizes, unpadded, windows

Args = Mapping[str, Any]


def _pooled(walk: Walk, call: Call, args: Args, margins: tuple[int, ...]) -> tuple[Act, MapSpec, Window]:
    """What a pooling reads, and its windows; margins: padding beyond what the call says."""
    kernel = pair(call, "kernel", args["kernel"])
    stride = kernel if args.get("stride") in (None, ()) else pair(call, "stride", args["stride"])
    x, spec = walk.map_of(args["x"], call)
    if pair(call, "dilation", args.get("dilation", 1)) != (1, 1):
        raise refuse(call, "pooling with dilation is not supported; use a larger window, and fine-tune")
    window = windows(call, kernel, stride, args.get("pad", 0), margins, spec)
    if not window.overlaps:
        raise refuse(call, f"its padding {short(window.pads)} is as large as its window; use a smaller one")
    return x, spec, window


def _max_pool(walk: Walk, call: Call, args: Args) -> Value:
    kernel = pair(call, "kernel", args["kernel"])
    stride = kernel if args.get("stride") in (None, ()) else pair(call, "stride", args["stride"])
    square = stride[0] == stride[1] > 0
    if kernel == (1, 1) and square and is_view_of_map(walk, args["x"]) and unpadded(args):
        return strided(args["x"], stride, call)
    act, margins = args["x"], (0, 0, 0, 0)
    if any(act.margins) and (act.outside == -math.inf or never_negative(walk.drafts[act.node].op)):
        act, margins = inside(replace(act, outside=0.0))  # such a margin never wins, as padding never does
    x, spec, window = _pooled(walk, call, {**args, "x": act}, margins)
    if args.get("ceil"):
        window = rounded_up(window, spec)
    return walk.add_layer(MaxPool(spec, *sizes(window)), (x,), "maxpool", call)


def _pool(walk: Walk, call: Call, value: Act) -> Act:
    x = walk.whole(value, call)
    return walk.add_layer(GlobalAvgPool(walk.spec(x)), (x,), "pool", call)


def _avg_pool(walk: Walk, call: Call, args: Args) -> Value:
    kernel, act = pair(call, "kernel", args["kernel"]), args["x"]
    if kernel == (1, 1) and unpadded(args) and is_view_of_map(walk, act):
        stride = (1, 1) if args.get("stride") in (None, ()) else pair(call, "stride", args["stride"])
        if stride[0] == stride[1] > 0:
            return strided(act, stride, call)
    act, margins = inside(act)  # so some exporters write zeros that are counted
    x, spec = walk.map_of(act, call)
    if kernel == spec.shape[:2] and unpadded(args) and not any(margins):
        return _pool(walk, call, x)
    counted = bool(args.get("include")) or unpadded(args)
    x, spec, window = _pooled(walk, call, {**args, "x": x}, margins)
    if window.padded and not counted:
        raise refuse(
            call,
            "its mean leaves padding out (count_include_pad=False); only a mean with the zeros counted is supported;"
            " set count_include_pad=True and fine-tune",
        )
    if args.get("ceil") and rounded_up(window, spec) != window:
        raise refuse(
            call, "ceil_mode makes a difference here, and an average has no padding for it; pad the map instead"
        )
    return walk.add_layer(AvgPool(spec, *sizes(window)), (x,), "avgpool", call)


def _adaptive(walk: Walk, call: Call, args: Args) -> Value:
    x, spec = walk.map_of(args["x"], call)
    given = args["size"] if isinstance(args["size"], tuple) else (args["size"],)
    size = integers(tuple(have if want is None else want for want, have in zip(given * (2 // len(given)), spec.shape)))
    if size == spec.shape[:2]:
        return x
    if size == (1, 1) and not args.get("max"):
        return _pool(walk, call, x)
    kernel = tuple(have // want if want > 0 and have % want == 0 else 0 for have, want in zip(spec.shape, size))
    if len(kernel) != 2 or 0 in kernel:
        text = f"adaptive pooling of a {spec} map to {'x'.join(map(str, size))}: its windows are not all of one size"
        raise refuse(call, f"{text}; use a size that divides {spec.shape[0]} and {spec.shape[1]}")
    window = Window(kernel, kernel, (0, 0, 0, 0))
    pool = MaxPool if args.get("max") else AvgPool
    return walk.add_layer(pool(spec, *sizes(window)), (x,), "maxpool" if args.get("max") else "avgpool", call)


def _mean(walk: Walk, call: Call, args: Args) -> Value:
    x = walk.whole(args["x"], call)
    spec = walk.spec(x)
    rank = len(x.shape) + 1
    axes = tuple(range(2, rank)) if args.get("axes") is None else axes_of(args["axes"], rank)
    if axes in ((2,), (3,)) and x.shape == chw(spec):  # one after the other, as `x.mean(3).mean(2)`
        (axis,) = axes
        kernel = tuple(n if i == axis - 2 else 1 for i, n in enumerate(spec.shape[:2]))
        pool = MaxPool if args.get("max") else AvgPool
        op = pool(spec, short(kernel), short(kernel))  # type: ignore[arg-type]
        pooled = walk.add_layer(op, (x,), "maxpool" if args.get("max") else "avgpool", call)
        return pooled if args.get("keep") else replace(pooled, shape=pooled.shape[: axis - 1] + pooled.shape[axis:])
    if sorted(axes) != list(range(2, rank)) or rank < 3 or x.shape[0] != spec.shape[2]:
        what = "maximum" if args.get("max") else "mean"
        raise refuse(call, f"a {what} over axes {list(axes)} of {rank}: only over all rows and columns is supported")
    pooled = _adaptive(walk, call, {"x": replace(x, shape=chw(spec)), "size": 1, "max": args.get("max")})
    return replace(pooled, shape=(x.shape[0], *(1,) * (rank - 2) * bool(args.get("keep"))))


POOLS: Mapping[str, Callable[[Walk, Call, Args], Value]] = {
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "adaptive": _adaptive,
    "mean": _mean,
}
