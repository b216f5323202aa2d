"""Raw numbers -> float32 arrays by name, checked; what all readers of named tensors share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from ..pickles import short
from .keys import CheckpointError, dims, some

FLOATS = {"float16": "<f2", "float32": "<f4", "float64": "<f8", "bfloat16": "<u2"}  # bfloat16: the bits
INTEGERS = {"int8": "i1", "uint8": "u1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}
NUMBERS = FLOATS | INTEGERS
PREFIXES = ("module.", "model.", "net.", "network.", "_orig_mod.", "backbone.", "encoder.")
IGNORED = ("num_batches_tracked",)
COUNTS = (".zeros",)  # integers among the weights: the split of a shrunk shortcut's zero channels
MAX_NAME, MAX_AXES, MAX_ELEMENTS = 300, 8, 1 << 30


def wanted(name: str, dtype: str) -> bool:
    """False for a tensor that no network needs; CheckpointError for one whose numbers cannot be weights."""
    if not name.isprintable() or len(name) > MAX_NAME:
        raise CheckpointError("the name of an entry is not plain text")
    if name.endswith(IGNORED):
        return False
    if dtype not in FLOATS and not (dtype in INTEGERS and name.endswith(COUNTS)):
        raise CheckpointError(f"{name} holds {dtype} numbers, not weights")
    return True


def check_shape(name: str, shape: object) -> tuple[int, ...]:
    """`shape` as a tuple; CheckpointError where no tensor can have it."""
    if (
        not isinstance(shape, tuple | list)
        or len(shape) > MAX_AXES
        or not all(type(n) is int and 0 <= n <= MAX_ELEMENTS for n in shape)
        or math.prod(shape) > MAX_ELEMENTS
    ):
        raise CheckpointError(f"{name} has a shape that no weight can have")
    return tuple(shape)


def view(name: str, numbers: np.ndarray, shape: object, strides: object, offset: object) -> np.ndarray:
    """The part of a storage that a file describes, in elements; read-only.

    numbers: the storage, (n,). CheckpointError where the part would not lie within it.
    """
    lengths = check_shape(name, shape)
    if (
        not isinstance(strides, tuple | list)
        or len(strides) != len(lengths)
        or not all(type(n) is int and n >= 0 for n in (*strides, offset))
    ):
        raise CheckpointError(f"{name} has impossible strides or an impossible offset")
    last = offset + sum((n - 1) * step for n, step in zip(lengths, strides))  # type: ignore[operator]
    if math.prod(lengths) > numbers.size or 0 not in lengths and last >= numbers.size:
        raise CheckpointError(f"{name} has shape {dims(lengths)}, more than its storage of {numbers.size} numbers")
    if 0 in lengths:
        return np.empty(lengths, numbers.dtype)
    steps = [step * numbers.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], lengths, steps, writeable=False)  # type: ignore[misc]


def widened(raw: np.ndarray, dtype: str) -> np.ndarray:
    """raw (bits of bfloat16, else numbers) -> float32; a double beyond its range becomes infinite."""
    if dtype == "bfloat16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):
        return raw.astype(np.float32)


def float32(name: str, raw: np.ndarray, dtype: str) -> np.ndarray:
    """raw (bits of bfloat16, else numbers) -> float32, C order, finite and not empty."""
    values = widened(raw, dtype)
    if not values.size:
        raise CheckpointError(f"{name} is empty")
    if not np.isfinite(values).all():
        raise CheckpointError(f"{name} holds NaN or infinite values")
    return np.ascontiguousarray(values + np.float32(0))  # pruning leaves -0.0, which becomes 0.0


def without_prefix(arrays: Mapping[str, np.ndarray]) -> tuple[str, dict[str, np.ndarray]]:
    """The prefix that all names share, as wrappers of modules leave it, and the arrays by their names without it."""
    at = 0
    while arrays:
        found = [p for p in PREFIXES if all(name.startswith(p, at) for name in arrays)]
        if not found:
            break
        at += len(found[0])
    return next(iter(arrays), "")[:at], {name[at:]: array for name, array in arrays.items()}


def require(tensors: Mapping[str, object], strange: Iterable[str]) -> None:
    """CheckpointError where entries are not tensors, or there are no entries."""
    strange = list(strange)
    if strange:
        raise CheckpointError(f"these entries are not tensors: {some(map(short, strange))}")
    if not tensors:
        raise CheckpointError("it holds no tensors")
