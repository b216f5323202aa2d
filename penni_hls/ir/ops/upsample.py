"""upsample: y[h, w, c] = x[h // factor, w // factor, c], nearest-neighbour upsampling by a whole factor.

Hardware: a ping-pong buffer of two rows (2*W*C words). While one row arrives, the one before is read `factor` times,
each of its pixels `factor` times in each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ...target.memory import BLOCK, MemoryStyle, address_bits, ram_cost, ram_style
from ...target.resources import Resources
from ..fixed import IntTensor
from ..graph import TensorSpec
from .base import Folding, Operator
from .timing import Stage, Step, Timing


@dataclass(frozen=True)
class UpsampleFolding(Folding):
    """rows: where the buffer of two rows lies."""

    rows: MemoryStyle = BLOCK


@dataclass(frozen=True)
class Upsample(Operator):
    """x: the map read. factor: of rows and columns alike."""

    x: TensorSpec
    factor: int

    kind: ClassVar[str] = "upsample"

    def __post_init__(self) -> None:
        if self.factor < 2:
            raise ValueError(f"upsample: factor {self.factor}; at least 2 is needed")

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> TensorSpec:
        h, w, channels = self.x.shape
        return TensorSpec((h * self.factor, w * self.factor, channels), self.x.qtype)

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> (N, H*factor, W*factor, C)."""
        self.check_input(x)
        return IntTensor(x.values.repeat(self.factor, axis=1).repeat(self.factor, axis=2), x.qtype)

    @property
    def _words(self) -> int:
        """Words of the buffer."""
        return 2 * self.x.shape[1] * self.x.shape[2]

    def folding(self, q: int = 1, p: int = 1) -> UpsampleFolding:
        return UpsampleFolding(q, p, ram_style(self._words, self.x.qtype.bits))

    def timing(self, folding: Folding) -> Timing:
        h, w, c = self.x.shape
        copies = self.factor**2 * w * c
        write = Step(w * c, (("in", w * c),), needs=(("room", 1),), posts=(("row", 1, 1),))
        read = Step(copies, gives=(("out", copies),), needs=(("row", 1),), posts=(("room", 1, 1),))
        stages = (Stage("write", ((h, write),)), Stage("read", ((h, read),)))
        return Timing(stages, {"room": 2, "row": 0}, latency=2)

    def cost(self, folding: UpsampleFolding) -> Resources:
        """Counters and their comparators, fitted to yosys at maps of 4x4x1 to 32x32x128; LUT RAM is read into flip-flops."""
        _, w, c = self.x.shape
        sizes = (self._words, self._words, c, w, self.factor, self.factor)
        counters = sum((size - 1).bit_length() for size in sizes)
        bits = self.x.qtype.bits
        address = address_bits(self._words)
        wraps = (
            address + 3 * math.ceil(address / 6) if self._words & (self._words - 1) else 0
        )  # elsewhere than at a power of 2
        logic = Resources(lut=0.9 * counters + 8 + wraps, ff=counters + 3 + (0 if folding.rows == BLOCK else bits))
        return logic + ram_cost(1 << address_bits(self._words), bits, folding.rows)

    def parameters(self, folding: UpsampleFolding) -> dict[str, int]:
        h, w, c = self.x.shape
        return {
            "H": h, "W": w, "C": c, "FACTOR": self.factor, "XW": self.x.qtype.bits,
            "ROW_BLOCK": int(folding.rows == BLOCK),
        }  # fmt: skip
