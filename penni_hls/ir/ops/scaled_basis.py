"""Basis kernels for multipliers that take turns: all with one rounding shift, in the order in which they are read.

A kernel with a smaller shift is multiplied by a power of two: rshift(v, s) = rshift(v * 2^e, s + e) for every e >= 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...target.memory import address_bits
from ..fixed import QType, smallest_qtype
from .memory import Memory, to_word

WIDEST = 18  # bits of a kernel's value; a DSP48E1 multiplies 25 by 18


@dataclass(frozen=True, eq=False)
class ScaledBasis:
    """kernels: int64 (d, kh, kw), at one shift. x_type: of what they are multiplied by."""

    kernels: np.ndarray
    shift: int
    x_type: QType

    @classmethod
    def of(cls, kernels: np.ndarray, shifts: tuple[int, ...], x_type: QType) -> ScaledBasis:
        """kernels: int64 (d, kh, kw), one shift each."""
        most = max(shifts)
        return cls(kernels << (most - np.array(shifts)).reshape(-1, 1, 1), most, x_type)

    @cached_property
    def type(self) -> QType:
        """The narrowest type of the kernels' values."""
        return smallest_qtype(min(-1, int(self.kernels.min())), int(self.kernels.max()))

    @property
    def fits(self) -> bool:
        """Whether a DSP multiplies them."""
        return self.type.bits <= WIDEST and self.x_type.bits < WIDEST

    @property
    def half(self) -> int:
        """What rounds a sum before it is shifted."""
        return (1 << self.shift) >> 1

    @cached_property
    def acc_type(self) -> QType:
        """The narrowest type of every exact sum with its rounding half, whole and in part."""
        ends = np.stack([self.kernels * self.x_type.lo, self.kernels * self.x_type.hi])
        lo, hi = ends.min(0).sum((1, 2)), ends.max(0).sum((1, 2))
        return smallest_qtype(min(-1, int(lo.min())), int(hi.max()) + self.half)

    def memory(self, per_row: int) -> Memory:
        """For each basis what kh * per_row multipliers read, row by row, the first lowest: one word with all columns, or
        (per_row 1) a word for each column, their number rounded up to a power of two."""
        d, kh, kw = self.kernels.shape
        words = 1 << address_bits(kw) if per_row == 1 else 1
        padded = np.zeros((d, kh, words * per_row), np.int64)
        padded[:, :, :kw] = self.kernels
        by_word = padded.reshape(d, kh, words, per_row).swapaxes(1, 2).reshape(d * words, -1)
        bits = self.type.bits
        return Memory(kh * per_row * bits, tuple(to_word(tuple((int(v), bits) for v in word)) for word in by_word))
