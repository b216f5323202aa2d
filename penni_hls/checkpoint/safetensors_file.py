"""safetensors: one file of named tensors, no pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import safetensors

from .files import check_size
from .keys import CheckpointError, Contents
from .tensors import NUMBERS, check_shape, float32, require, wanted, without_prefix

NAME = "safetensors"
MAX_HEADER = 16 << 20  # bytes
DTYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "BF16": "bfloat16", "I8": "int8", "U8": "uint8",
          "I16": "int16", "I32": "int32", "I64": "int64"}  # fmt: skip


def recognises(path: Path, head: bytes) -> bool:
    """The name says it; or the file begins with the length of a header, and then the header, a JSON object."""
    return path.suffix == ".safetensors" or head[8:9] == b"{" and head[5:8] == bytes(3)


def contents(path: Path) -> Contents:
    """float32 arrays by name, without prefix, all finite. Raises CheckpointError."""
    size = path.stat().st_size
    check_size(size)
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if size < 8 or header > min(size - 8, MAX_HEADER):
        raise CheckpointError("it is truncated, or its header is longer than any network needs")
    try:
        entries = dict(safetensors.deserialize(path.read_bytes()))
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"it is not a valid safetensors file: {str(error)[:120]!a}") from None
    require(entries, ())
    arrays = {name: array for name, entry in entries.items() if (array := _array(name, entry)) is not None}
    return Contents(NAME, without_prefix(arrays)[1], {})


def _array(name: str, entry: dict) -> np.ndarray | None:
    dtype = DTYPES.get(entry["dtype"], entry["dtype"])
    if not wanted(name, dtype):
        return None
    numbers = np.frombuffer(entry["data"], NUMBERS[dtype])
    return float32(name, numbers.reshape(check_shape(name, entry["shape"])), dtype)
