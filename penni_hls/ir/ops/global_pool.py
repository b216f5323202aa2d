"""global_pool: y[c] = sum over all pixels of x[p, c], exact. The mean's division is in the scale of what reads it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...target.memory import address_bits, in_block_ram, ram_cost
from ...target.resources import Resources
from ..fixed import IntTensor, smallest_qtype
from ..graph import TensorSpec
from .base import Folding, Memory, check_input


@dataclass(frozen=True)
class GlobalPool:
    x: TensorSpec

    stem: ClassVar[str] = "global_pool"

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> TensorSpec:
        pixels, qtype = self.x.pixels, self.x.qtype
        return TensorSpec((1, 1, self.x.shape[2]), smallest_qtype(pixels * qtype.lo, pixels * qtype.hi))

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> (N, 1, 1, C)."""
        check_input(self, (x,))
        qtype = self.out_spec.qtype
        return IntTensor(x.values.sum((1, 2), keepdims=True, dtype=np.int64).astype(qtype.dtype), qtype)

    def foldings(self) -> tuple[Folding, ...]:
        return (Folding(),)

    def cycles(self, folding: Folding) -> int:
        return math.prod(self.x.shape)

    def cost(self, folding: Folding) -> Resources:
        width = self.out_spec.qtype.bits
        return Resources(lut=width + 20, ff=2 * width + 30) + ram_cost(1 << address_bits(self.x.shape[2]), width)

    def held_pixels(self, folding: Folding) -> float:
        """The frame that it sums."""
        return 1

    @property
    def burst(self) -> int:
        return 0

    def parameters(self, folding: Folding) -> dict[str, int]:
        return {
            "PIXELS": self.x.pixels, "C": self.x.shape[2], "XW": self.x.qtype.bits,
            "X_SIGNED": int(self.x.qtype.signed), "YW": self.out_spec.qtype.bits,
            "BLOCK": in_block_ram(self.x.shape[2], self.out_spec.qtype.bits),
        }  # fmt: skip

    def memories(self, folding: Folding) -> dict[str, Memory]:
        return {}
