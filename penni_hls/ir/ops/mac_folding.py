"""The choices of `sparse_mac`: how its program is written, where its memories lie, how it multiplies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal

import numpy as np

from ...target.fabric import SERIES7
from ...target.memory import BLOCK, MemoryStyle
from ..fixed import QType
from .base import Folding
from .program import BIT, Coding, RowEnds

Multiplier = Literal["dsp", "pair", "lut"]
DSP, PAIR, LUTS = "dsp", "pair", "lut"

_coding = cache(Coding)  # asked for again and again

LUT_COEF_BITS = 4  # the widest coefficient that is multiplied in LUTs


@dataclass(frozen=True)
class SparseMacFolding(Folding):
    """z, sums, program, requant: where lie z, the running sums at row ends, the program, the constants of the requantizer.

    step_bits, row_ends: how the program is written, see `Coding`. z_buffers, sum_buffers: 2: one is filled while the
    other is read; 1: by turns. multiplier: one product in a DSP, those of two pixels in a DSP, or one in LUTs.
    requant_cycles: cycles per value that the requantizer has; the more, the fewer multipliers it needs. preadder_bits: of
    the DSP that takes pairs.
    """

    untimed: ClassVar[tuple[str, ...]] = ("z", "sums", "program", "requant", "preadder_bits")

    z: MemoryStyle = BLOCK
    sums: MemoryStyle = BLOCK
    program: MemoryStyle = BLOCK
    requant: MemoryStyle = BLOCK
    step_bits: int = 0
    row_ends: RowEnds = BIT
    z_buffers: int = 2
    sum_buffers: int = 2
    multiplier: Multiplier = DSP
    requant_cycles: int = 1
    preadder_bits: int = SERIES7.preadder_bits

    def __post_init__(self) -> None:
        if self.multiplier == PAIR and self.q % 2:
            raise ValueError(f"sparse_mac: {self.q} pixels are not pairs")

    @property
    def coding(self) -> Coding:
        return _coding(self.step_bits, self.row_ends)

    @property
    def fetch(self) -> int:
        """Cycles from a program word to its addresses."""
        return 2 * (self.step_bits > 0)

    @property
    def z_release(self) -> int:
        """Cycles from the end of a program to the last z that is read."""
        return 1 + self.fetch

    @property
    def sum_latency(self) -> int:
        """Cycles from the end of a program to its last sum in memory."""
        return 5 + self.fetch + (self.multiplier == PAIR)

    @property
    def accumulators(self) -> int:
        """Accumulators of a lane."""
        return self.q // 2 if self.multiplier == PAIR else self.q


@dataclass(frozen=True)
class Pairing:
    """Two pixels in one multiplier: it takes z1 * 2^shift + z0 and gives sum1 * 2^shift + sum0.

    sum0 is read off the lowest `shift` bits, and off `extra` bits more with the help of as many bits of sum1, which are
    computed beside it.
    """

    shift: int
    extra: int

    @classmethod
    @cache
    def of(cls, z: QType, sum_bits: int, preadder_bits: int) -> Pairing:
        """For values z, sums of so many bits, and a pre-adder of so many."""
        limit = 1 << preadder_bits - 1
        shift = max(s for s in range(preadder_bits) if -limit <= (z.lo << s) + z.lo and (z.hi << s) + z.hi < limit)
        return cls(shift, max(0, sum_bits - shift))


def undominated(figures: np.ndarray, tolerance: float = 0.03) -> np.ndarray:
    """figures: float (options, measures), all to be small. The indices of options than which no other that is kept is as
    good in all measures, give or take the tolerance; of equal ones the first."""
    order = np.lexsort(figures.T[::-1])
    kept = np.empty_like(figures)
    indices: list[int] = []
    for index in order:
        if not (kept[: len(indices)] <= figures[index] * (1 + tolerance)).all(1).any():
            kept[len(indices)] = figures[index]
            indices.append(index)
    return np.sort(np.array(indices, np.int64))
