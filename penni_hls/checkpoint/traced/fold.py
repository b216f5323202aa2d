"""Calls on constants, evaluated with numpy: shapes that a file computes, weights that it reshapes or multiplies.

What is computed stays within a budget, so that a small file cannot ask for too much memory or time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import CheckpointError
from ..tensors import MAX_AXES
from .program import Constant

MAX_ELEMENTS = 1 << 25  # of one result, except views of tensors
MAX_TOTAL = 1 << 27  # of all results of a file
MAX_MACS = 1 << 32  # of all matrix products of a file
ROUNDED = {"float16": np.float16, "float32": np.float32, "float64": np.float64}


@dataclass
class Budget:
    """What is left to compute."""

    elements: int = MAX_TOTAL
    macs: int = MAX_MACS

    def spend(self, shape: tuple[int, ...], macs: int = 0) -> None:
        count = math.prod(shape)
        self.elements -= count
        self.macs -= macs
        if len(shape) > MAX_AXES or min(shape, default=1) < 0 or count > MAX_ELEMENTS:
            raise CheckpointError(f"it asks for a constant of shape {list(shape)[:MAX_AXES]}")
        if self.elements < 0 or self.macs < 0:
            raise CheckpointError("its constants take too much computation")


def array(value: Any) -> np.ndarray:
    """A constant's array, or a number or tuple of numbers as one."""
    return value.array if isinstance(value, Constant) else np.asarray(value)


def integers(value: Any) -> tuple[int, ...]:
    """A number, a tuple of numbers or a constant, as ints."""
    flat = np.asarray(array(value)).reshape(-1)
    if flat.size > MAX_AXES * 8 or not np.isfinite(flat).all() or (flat != np.trunc(flat)).any():
        raise CheckpointError("a list of a few integers is needed")
    return tuple(int(v) for v in flat)


def integer(value: Any) -> int:
    found = integers(value)
    if len(found) != 1:
        raise CheckpointError("one integer is needed")
    return found[0]


def fold(op: str, args: Mapping[str, Any], budget: Budget) -> Constant | None:
    """The result of a call on constants; None where there is no such call."""
    function = _FOLDS.get(op)
    return function(args, budget) if function else None


def resolved(shape: tuple[int, ...], have: tuple[int, ...], zero_copies: bool) -> tuple[int, ...]:
    """The shape that reshaping `have` to `shape` gives: -1 worked out, and 0 taken from `have`."""
    if zero_copies:
        shape = tuple(have[i] if n == 0 and i < len(have) else n for i, n in enumerate(shape))
    rest = math.prod(n for n in shape if n != -1)
    if shape.count(-1) == 1 and rest > 0 and math.prod(have) % rest == 0:
        shape = tuple(math.prod(have) // rest if n == -1 else n for n in shape)
    if min(shape, default=1) < 0 or math.prod(shape) != math.prod(have):
        raise CheckpointError(f"shape {list(have)} cannot become {list(shape)}")
    return shape


def axes_of(value: Any, rank: int) -> tuple[int, ...]:
    """Axes counted from the front, each once."""
    axes = tuple(a + rank if a < 0 else a for a in integers(value))
    if len(set(axes)) != len(axes) or any(not 0 <= a < rank for a in axes):
        raise CheckpointError(f"axes {list(integers(value))} of {rank}")
    return axes


def _reshape(args: Mapping[str, Any], budget: Budget) -> Constant:
    x = args["x"]
    shape = resolved(integers(args["shape"]), x.array.shape, bool(args.get("zero_copies")))
    if len(shape) > MAX_AXES:
        raise CheckpointError(f"it asks for a constant of {len(shape)} axes")
    return replace(x, array=x.array.reshape(shape))


def _flatten(args: Mapping[str, Any], budget: Budget) -> Constant:
    x = args["x"]
    rank = x.array.ndim
    start, end = (axes_of(args[key], max(rank, 1))[0] for key in ("start", "end"))
    return replace(x, array=x.array.reshape(*x.array.shape[:start], -1, *x.array.shape[end + 1 :]))


def _squeeze(args: Mapping[str, Any], budget: Budget) -> Constant:
    x = args["x"]
    axes = range(x.array.ndim) if args.get("axes") is None else axes_of(args["axes"], x.array.ndim)
    return replace(x, array=x.array.squeeze(tuple(a for a in axes if x.array.shape[a] == 1)))


def _unsqueeze(args: Mapping[str, Any], budget: Budget) -> Constant:
    x = args["x"]
    axes = integers(args["axes"])
    return replace(x, array=np.expand_dims(x.array, axes_of(axes, x.array.ndim + len(axes))))


def _identity(args: Mapping[str, Any], budget: Budget) -> Constant:
    x = args["x"]
    return replace(x, name=args["name"]) if args.get("name") else x


def _cast(args: Mapping[str, Any], budget: Budget) -> Constant:
    """Between kinds of numbers. Floats that keep their precision keep their name and factors."""
    x, to = args["x"], args["to"]
    if to == "like":
        return x
    with np.errstate(all="ignore"):
        if to == "int":
            values = np.nan_to_num(x.array).astype(np.int64)
        elif to in ROUNDED:
            values = x.array.astype(ROUNDED[to]).astype(np.float32)
        else:
            raise CheckpointError(f"constants of type {to} are not read")
    return replace(x, array=values) if np.array_equal(values, x.array) else Constant(values, x.name)


def _transpose(args: Mapping[str, Any], budget: Budget) -> Constant:
    x = args["x"]
    rank = x.array.ndim
    perm = tuple(reversed(range(rank))) if args.get("perm") is None else axes_of(args["perm"], rank)
    if len(perm) != rank:
        raise CheckpointError(f"a permutation {list(perm)} of {rank} axes")
    return Constant(x.array.transpose(perm), x.name)


def _swap(args: Mapping[str, Any], budget: Budget) -> Constant:
    x = args["x"]
    first, second = (
        axes_of((integer(args["first"]),), x.array.ndim)[0],
        axes_of((integer(args["second"]),), x.array.ndim)[0],
    )
    return Constant(x.array.swapaxes(first, second), x.name)


def _arithmetic(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[..., Constant]:
    def compute(args: Mapping[str, Any], budget: Budget) -> Constant:
        x, y = array(args["x"]), array(args["y"])
        if args.get("alpha", 1) != 1:
            raise CheckpointError("a factor within an operation on constants is not supported")
        budget.spend(np.broadcast_shapes(x.shape, y.shape))
        with np.errstate(all="ignore"):
            values = function(x, y)
        return Constant(values if values.dtype.kind in "iu" else values.astype(np.float32))

    return compute


def _divide(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x // np.where(y == 0, 1, y) if x.dtype.kind in "iu" and y.dtype.kind in "iu" else x / y


def _matmul(args: Mapping[str, Any], budget: Budget) -> Constant:
    """x (.., d) @ y (d, t): the result remembers its two factors, since it may be the weight of a decomposed layer."""
    x, y = args["x"], args["y"]
    if not (isinstance(x, Constant) and isinstance(y, Constant)) or x.array.ndim < 2 or y.array.ndim != 2:
        raise CheckpointError("a product of two constants that are not matrices")
    if x.array.shape[-1] != y.array.shape[0]:
        raise CheckpointError(f"a product of {list(x.array.shape)} and {list(y.array.shape)}")
    shape = (*x.array.shape[:-1], y.array.shape[1])
    budget.spend(shape, macs=math.prod(shape) * len(y.array))
    with np.errstate(all="ignore"):
        values = np.einsum("nd,dt->nt", x.array.reshape(-1, len(y.array)), y.array, dtype=np.float64).astype(np.float32)
    coefs = replace(x, array=x.array.reshape(-1, len(y.array)), factors=None)
    return Constant(values.reshape(shape), factors=(coefs, replace(y, factors=None)))


def _slice(args: Mapping[str, Any], budget: Budget) -> Constant:
    values = array(args["x"])
    starts, ends = integers(args["starts"]), integers(args["ends"])
    axes = axes_of(range(len(starts)) if args.get("axes") is None else args["axes"], values.ndim)
    steps = (1,) * len(starts) if args.get("steps") is None else integers(args["steps"])
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise CheckpointError("a slice whose starts, ends and steps do not match")
    for start, end, axis, step in zip(starts, ends, axes, steps):
        length = values.shape[axis]
        stop: int | None = None if step < 0 and end < -length else end  # the end before the first element
        values = values[(slice(None),) * axis + (slice(start, stop, step),)]
    return Constant(values)


def _concat(args: Mapping[str, Any], budget: Budget) -> Constant:
    parts = [np.atleast_1d(array(x)) for x in args["xs"]]
    budget.spend((sum(part.size for part in parts),))
    return Constant(np.concatenate(parts, axis=integer(args["axis"])))


def _gather(args: Mapping[str, Any], budget: Budget) -> Constant:
    values, indices = array(args["x"]), array(args["indices"]).astype(np.int64)
    axis = axes_of(args["axis"], values.ndim)[0]
    shape = (*values.shape[:axis], *indices.shape, *values.shape[axis + 1 :])
    budget.spend(shape)
    return Constant(np.take(values, indices, axis=axis))


def _full(args: Mapping[str, Any], budget: Budget) -> Constant:
    shape = integers(args["shape"])
    budget.spend(shape)
    value = array(args["value"]).reshape(-1)
    if value.size != 1:
        raise CheckpointError("one value to fill a constant with is needed")
    return Constant(np.full(shape, value[0], np.int64 if value.dtype.kind in "iu" else np.float32))


def _expand(args: Mapping[str, Any], budget: Budget) -> Constant:
    values = array(args["x"])
    wanted = integers(args["shape"])
    padded = (1,) * (len(wanted) - values.ndim) + values.shape
    wanted = tuple(have if n == -1 else n for n, have in zip(wanted, padded))
    shape = np.broadcast_shapes(values.shape, wanted)
    budget.spend(shape)
    return Constant(np.ascontiguousarray(np.broadcast_to(values, shape)))


def _shape(args: Mapping[str, Any], budget: Budget) -> Constant:
    shape = array(args["x"]).shape
    return Constant(np.array(shape[slice(args.get("start"), args.get("end"))], np.int64))


_FOLDS: dict[str, Callable[[Mapping[str, Any], Budget], Constant]] = {
    "reshape": _reshape,
    "flatten": _flatten,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "identity": _identity,
    "cast": _cast,
    "transpose": _transpose,
    "swap": _swap,
    "add": _arithmetic(np.add),
    "sub": _arithmetic(np.subtract),
    "mul": _arithmetic(np.multiply),
    "div": _arithmetic(_divide),
    "matmul": _matmul,
    "slice": _slice,
    "concat": _concat,
    "gather": _gather,
    "full": _full,
    "expand": _expand,
    "shape": _shape,
}
