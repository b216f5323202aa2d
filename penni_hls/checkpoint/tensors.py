"""Raw numbers -> float32 arrays by name, checked; what all readers of named tensors share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from .keys import CheckpointError, some

FLOATS = {"float16": "<f2", "float32": "<f4", "float64": "<f8", "bfloat16": "<u2"}  # bfloat16: the bits
INTEGERS = {"int8": "i1", "uint8": "u1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}
PREFIXES = ("module.", "model.", "net.", "network.", "_orig_mod.", "backbone.", "encoder.")
IGNORED = ("num_batches_tracked",)
COUNTS = (".zeros",)  # integers among the weights: the split of a shrunk shortcut's zero channels
MAX_NAME, MAX_DIMENSIONS, MAX_ELEMENTS = 300, 8, 1 << 30


def wanted(name: str, dtype: str) -> bool:
    """False where the network needs no such tensor; CheckpointError where it would, but not of these numbers."""
    if not name.isprintable() or len(name) > MAX_NAME:
        raise CheckpointError("the name of an entry is no plain text")
    if name.endswith(IGNORED):
        return False
    if dtype not in FLOATS and not (dtype in INTEGERS and name.endswith(COUNTS)):
        raise CheckpointError(f"{name} holds {dtype} numbers, not weights")
    return True


def check_shape(name: str, shape: object) -> tuple[int, ...]:
    """`shape` as a tuple of lengths that a tensor can have, and this machine hold."""
    if (
        not isinstance(shape, tuple | list)
        or len(shape) > MAX_DIMENSIONS
        or not all(type(n) is int and 0 <= n <= MAX_ELEMENTS for n in shape)
        or math.prod(shape) > MAX_ELEMENTS
    ):
        raise CheckpointError(f"{name} has a shape that no weight has")
    return tuple(shape)


def float32(name: str, raw: np.ndarray, dtype: str) -> np.ndarray:
    """raw (bits of bfloat16, else numbers) -> float32, C order, finite and not empty."""
    if dtype == "bfloat16":
        values = (raw.astype(np.uint32) << 16).view(np.float32)
    else:
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, which is refused below
            values = raw.astype(np.float32)
    if not values.size:
        raise CheckpointError(f"{name} is empty")
    if not np.isfinite(values).all():
        raise CheckpointError(f"{name} holds NaN or infinite values")
    return np.ascontiguousarray(values + np.float32(0))  # pruning leaves -0.0 behind; it becomes 0.0, as other zeros


def plain(text: str) -> str:
    """Text of a file as part of one printable line."""
    return text if text.isprintable() else ascii(text)


def prefix_length(names: Iterable[str]) -> int:
    """Length of the prefix all names share, as wrappers of modules leave it."""
    names, at = list(names), 0
    while names:
        found = [p for p in PREFIXES if all(name.startswith(p, at) for name in names)]
        if not found:
            break
        at += len(found[0])
    return at


def require(tensors: Mapping[str, object], strange: Iterable[str]) -> None:
    """CheckpointError where entries are no tensors, or there is none."""
    strange = list(strange)
    if strange:
        raise CheckpointError(f"these entries are no tensors: {some(map(plain, strange))}")
    if not tensors:
        raise CheckpointError("it holds no tensors")
