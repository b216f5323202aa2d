"""An array <-> compressed bytes: its zeros left out where that is shorter. docs/formats.md says the same in bytes.

Three codings; the shortest before compression is taken, the first of equals:
    dense    all values
    gaps     the values that are not zero, and before each the number of zeros skipped, in bytes: 255 adds the next byte
    bitmap   the same values, and one bit per element, most significant first
Values go byte plane by byte plane (all least significant bytes first), which deflate packs better than whole numbers.
A pruned weight of -0.0 is a zero like any other and comes back as 0.0. Both parts are zlib streams.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np

from ..errors import CheckpointError

CODINGS = ("dense", "gaps", "bitmap")
MORE = 255  # a byte of a gap: the next byte is added to it


@dataclass(frozen=True, eq=False)
class Packed:
    """count: values stored; values, positions: zlib streams, positions empty where dense."""

    coding: str
    count: int
    values: bytes
    positions: bytes = b""


def pack(array: np.ndarray) -> Packed:
    """The shortest coding of the array's elements, in C order."""
    flat = np.ascontiguousarray(array).reshape(-1)
    used = flat != 0
    values = flat[used]
    gaps, bitmap = _gaps(used), np.packbits(used).tobytes()
    positions = min(gaps, bitmap, key=len)
    if flat.nbytes <= values.nbytes + len(positions):
        return Packed("dense", flat.size, deflate(_planes(flat + flat.dtype.type(0))))  # -0.0 + 0 is 0
    return Packed("gaps" if positions is gaps else "bitmap", len(values), deflate(_planes(values)), deflate(positions))


def unpack(packed: Packed, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The array. Lengths are checked before anything is allocated; CheckpointError where the streams are damaged."""
    size = math.prod(shape)
    if (
        packed.coding not in CODINGS
        or not 0 <= packed.count <= size
        or packed.coding == "dense"
        and packed.count != size
    ):
        raise CheckpointError("it is damaged: an array with an impossible number of values")
    length = packed.count * dtype.itemsize
    planes = np.frombuffer(inflate(packed.values, length, length), np.uint8)
    values = np.ascontiguousarray(planes.reshape(dtype.itemsize, packed.count).T).reshape(-1).view(dtype)
    if packed.coding == "dense":
        return values.reshape(shape)
    flat = np.zeros(size, dtype)
    flat[_positions(packed, size)] = values
    return flat.reshape(shape)


def _planes(values: np.ndarray) -> bytes:
    """Little-endian values, transposed: the first byte of each, then the second of each, …"""
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little.view(np.uint8).reshape(-1, values.itemsize).T).tobytes()


def _gaps(used: np.ndarray) -> bytes:
    positions = np.flatnonzero(used)
    gaps = np.diff(positions, prepend=-1) - 1
    ends = np.cumsum(gaps // MORE + 1) - 1
    out = np.full(int(ends[-1]) + 1 if len(ends) else 0, MORE, np.uint8)
    out[ends] = gaps % MORE
    return out.tobytes()


def _positions(packed: Packed, size: int) -> np.ndarray:
    """Where the values go: ascending indices, `packed.count` of them, all below `size`."""
    if packed.coding == "bitmap":
        length = (size + 7) // 8
        bits = np.unpackbits(np.frombuffer(inflate(packed.positions, length, length), np.uint8), count=size)
        positions = np.flatnonzero(bits)
    else:
        steps = np.frombuffer(inflate(packed.positions, packed.count, packed.count + size // MORE), np.uint8)
        if len(steps) and steps[-1] == MORE:
            raise CheckpointError("it is damaged: the positions of an array end early")
        sums = np.cumsum(steps, dtype=np.int64)[steps != MORE]
        positions = sums + np.arange(len(sums))
    if len(positions) != packed.count or packed.count and positions[-1] >= size:
        raise CheckpointError("it is damaged: the positions of an array do not match its values")
    return positions


def deflate(data: bytes) -> bytes:
    return zlib.compress(data, 6)


def inflate(data: bytes, least: int, most: int) -> bytes:
    """The content of a zlib stream of `least` to `most` bytes; no more than that is ever held."""
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(data, most + 1)
    except zlib.error:
        raise CheckpointError("it is damaged: a part cannot be decompressed") from None
    if not stream.eof or stream.unused_data or not least <= len(content) <= most:
        raise CheckpointError("it is damaged: a part has the wrong length")
    return content
