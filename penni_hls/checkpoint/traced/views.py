"""Calls that only change the view of a map: reshapes, strides, zero channels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...ir.windows import Window
from .fold import array, axes_of, integers, resolved
from .program import Call, Constant
from .walk import Act, Value, Walk, chw, refuse

Args = Mapping[str, Any]

LOWEST = float(np.finfo(np.float32).min)  # so exporters also write minus infinity


def strided(act: Act, stride: tuple[int, int], call: Call) -> Act:
    c, h, w = act.shape
    total = (act.stride[0] * stride[0], act.stride[1] * stride[1])
    return replace(act, shape=(c, *_kept(h, w, stride)), stride=total, origin=call)


def _kept(h: int, w: int, stride: tuple[int, int]) -> tuple[int, int]:
    """How many of h rows and w columns are left where every stride-th is kept."""
    return Window.of(1, stride, 0).map_of((h, w))


def is_view_of_map(walk: Walk, act: Act) -> bool:
    """True where the view has the axes of its map, strides and zero channels apart."""
    c, h, w = chw(walk.spec(act))
    return act.shape == (c + sum(act.zeros), *_kept(h, w, act.stride))


def inside(act: Any) -> tuple[Any, tuple[int, int, int, int]]:
    """A view without the zeros around it, and how many these are on each side. Other values stay as they are."""
    if not isinstance(act, Act) or not any(act.margins) or act.outside != 0:
        return act, (0, 0, 0, 0)
    (c, h, w), (top, left, bottom, right) = act.shape, act.margins
    return replace(act, shape=(c, h - top - bottom, w - left - right), margins=(0, 0, 0, 0)), act.margins


def _viewed(walk: Walk, call: Call, act: Act, shape: tuple[int, ...]) -> Value:
    """The values in another shape, given with the batch."""
    if not shape or shape[0] != walk.batch:
        raise refuse(call, "it mixes the images of a batch")
    inside = shape[1:]
    if inside == act.shape:
        return act
    act = walk.whole(act, call)
    return replace(act, shape=inside)


def _reshape(walk: Walk, call: Call, args: Args) -> Value:
    act = args["x"]
    have = (walk.batch, *act.shape)
    return _viewed(walk, call, act, resolved(integers(args["shape"]), have, bool(args.get("zero_copies"))))


def _flatten(walk: Walk, call: Call, args: Args) -> Value:
    act = args["x"]
    have = (walk.batch, *act.shape)
    start, end = (axes_of(args[key], len(have))[0] for key in ("start", "end"))
    merged = (math.prod(have[start : end + 1]),) if start <= end else have[start:start]
    return _viewed(walk, call, act, (*have[:start], *merged, *have[end + 1 :]))


def _squeeze(walk: Walk, call: Call, args: Args) -> Value:
    act = args["x"]
    have = (walk.batch, *act.shape)
    axes = range(len(have)) if args.get("axes") is None else axes_of(args["axes"], len(have))
    return _viewed(walk, call, act, tuple(n for i, n in enumerate(have) if i not in axes or n != 1))


def _unsqueeze(walk: Walk, call: Call, args: Args) -> Value:
    act = args["x"]
    new = integers(args["axes"])
    axes = axes_of(new, len(act.shape) + 1 + len(new))
    left = iter((walk.batch, *act.shape))
    shape = tuple(1 if i in axes else next(left) for i in range(len(act.shape) + 1 + len(new)))
    return _viewed(walk, call, act, shape)


def _unflatten(walk: Walk, call: Call, args: Args) -> Value:
    act = args["x"]
    have = (walk.batch, *act.shape)
    axis = axes_of(args["axis"], len(have))[0]
    return _viewed(
        walk,
        call,
        act,
        (*have[:axis], *resolved(integers(args["sizes"]), have[axis : axis + 1], False), *have[axis + 1 :]),
    )


def _gather(walk: Walk, call: Call, args: Args) -> Value:
    """Only the one row or column that there is, as `x[:, :, 0, 0]` of what is pooled."""
    act = args["x"]
    have = (walk.batch, *act.shape)
    axis, index = axes_of(args["axis"], len(have))[0], np.asarray(array(args["indices"]))
    if axis < 2 or have[axis] != 1 or index.ndim or int(index) not in (0, -1):
        raise refuse(call, f"it takes one of {have[axis]} along axis {axis}; only the one that there is can be taken")
    return _viewed(walk, call, act, (*have[:axis], *have[axis + 1 :]))


def _slice(walk: Walk, call: Call, args: Args) -> Value:
    """Only what keeps all channels, and every n-th row and column from the first on."""
    act = args["x"]
    have = (walk.batch, *act.shape)
    starts, ends = integers(args["starts"]), integers(args["ends"])
    axes = axes_of(range(len(starts)) if args.get("axes") is None else args["axes"], len(have))
    steps = (1,) * len(starts) if args.get("steps") is None else integers(args["steps"])
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        whole = start in (0, -have[axis]) and end >= have[axis]
        if not whole or step < 1 or (step > 1 and (axis < 2 or not is_view_of_map(walk, act))):
            text = f"the slice {start}:{end}:{step} of axis {axis}: only every n-th row and column is supported"
            raise refuse(call, text)
        if step > 1:
            act = strided(act, (step, 1) if axis == 2 else (1, step), call)
    return act


def _pad(walk: Walk, call: Call, args: Args) -> Value:
    """Zero channels, as in the option-A shortcut, and zeros (or, before max pooling, the smallest value) around a map."""
    act = args["x"]
    rank = len(act.shape) + 1
    pads = integers(args["pads"])
    axes = tuple(range(rank)) if args.get("axes") is None else axes_of(args["axes"], rank)
    if len(pads) != 2 * len(axes):
        raise refuse(call, f"{len(pads)} pads for {len(axes)} axes")
    value = args.get("value")
    fill = 0.0 if value is None else float(np.asarray(value.array if isinstance(value, Constant) else value).item())
    before, after = (dict(zip(axes, part)) for part in (pads[: len(axes)], pads[len(axes) :]))
    margins = tuple(part.get(axis, 0) for part in (before, after) for axis in (2, 3))
    new = (before.get(1, 0), after.get(1, 0))
    smallest = fill <= LOWEST and not any(new)
    images = before.get(0, 0) or after.get(0, 0)
    if images or not (fill == 0 or smallest) or not is_view_of_map(walk, act) or min(pads, default=0) < 0:
        raise refuse(call, "only zero channels before and after those of a map, or zeros around it, are supported")
    c, h, w = act.shape
    zeros = (act.zeros[0] + new[0], act.zeros[1] + new[1])
    top, left, bottom, right = margins
    shape = (c + sum(new), h + top + bottom, w + left + right)
    outside = -math.inf if smallest else 0.0
    return replace(act, shape=shape, zeros=zeros, margins=margins, outside=outside, origin=call)


def _identity(walk: Walk, call: Call, args: Args) -> Value:
    return args["x"]


def _cast(walk: Walk, call: Call, args: Args) -> Value:
    """The reference computes in float32 whatever precision the network asks for."""
    if args["to"] not in ("float16", "float32", "float64", "bfloat16", "like"):
        raise refuse(call, f"maps of type {args['to']} are not supported")
    return args["x"]


def _shape(walk: Walk, call: Call, args: Args) -> Value:
    full = (walk.batch, *args["x"].shape)
    return Constant(np.array(full[slice(args.get("start"), args.get("end"))], np.int64))


def _size(walk: Walk, call: Call, args: Args) -> Value:
    full = (walk.batch, *args["x"].shape)
    return Constant(np.array(full[axes_of(args["axis"], len(full))[0]], np.int64))


VIEWS: Mapping[str, Callable[[Walk, Call, Args], Value]] = {
    "reshape": _reshape,
    "flatten": _flatten,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "unflatten": _unflatten,
    "gather": _gather,
    "slice": _slice,
    "pad": _pad,
    "identity": _identity,
    "cast": _cast,
    "shape": _shape,
    "size": _size,
}
