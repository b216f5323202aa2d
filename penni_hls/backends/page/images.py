"""Matrices of coefficients as pictures: where the non-zeros are."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

WIDEST, TALLEST = 400, 200  # pixels; larger matrices are shown block by block
SHADES = 17  # that can be told apart, in steps of 15
INK = (59, 130, 196)  # of a non-zero: legible on white and on black


def density(matrix: np.ndarray) -> np.ndarray:
    """(rows, columns) of any numbers -> the share of non-zeros in each block, 0 … 1, at most (TALLEST, WIDEST)."""
    found = (matrix != 0).astype(np.float64)
    for axis, most in ((0, TALLEST), (1, WIDEST)):
        size = found.shape[axis]
        block = -(-size // most)
        starts = np.arange(0, size, block)
        counts = np.diff(np.append(starts, size))
        found = np.add.reduceat(found, starts, axis) / (counts[:, None] if axis == 0 else counts)
    return found


def picture(matrix: np.ndarray) -> str:
    """A PNG of `density` as a data URI: nothing where all are zero, INK where none is. Blocks are scaled so that the
    fullest one has all of the ink."""
    shares = density(matrix)
    levels = (np.ceil(SHADES * shares / max(shares.max(), 1e-9)) * (255 // SHADES)).astype(np.uint8)
    height, width = levels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),  # 8 bits, a palette
        (b"PLTE", bytes(INK) * 256),
        (b"tRNS", bytes(range(256))),
        (b"IDAT", zlib.compress(rows, 6)),
        (b"IEND", b""),
    )
    data = b"".join(struct.pack(">I", len(body)) + kind + body + _crc(kind + body) for kind, body in chunks)
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()


def _crc(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))
