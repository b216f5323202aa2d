"""global_pool: y[c] = sum over all pixels of x[p, c], exact. The mean's division is in the scale of what reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...target.memory import BLOCK, MemoryStyle, address_bits, ram_cost, ram_style
from ...target.resources import Resources
from ..fixed import IntTensor, smallest_qtype
from ..graph import TensorSpec
from .base import Folding, Operator
from .timing import Stage, Step, Timing


@dataclass(frozen=True)
class GlobalPoolFolding(Folding):
    """totals: where the sums of the channels lie."""

    totals: MemoryStyle = BLOCK


@dataclass(frozen=True)
class GlobalPool(Operator):
    x: TensorSpec

    kind: ClassVar[str] = "global_pool"

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> TensorSpec:
        pixels, qtype = self.x.pixels, self.x.qtype
        return TensorSpec((1, 1, self.x.shape[2]), smallest_qtype(pixels * qtype.lo, pixels * qtype.hi))

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> (N, 1, 1, C)."""
        self.check_input(x)
        qtype = self.out_spec.qtype
        return IntTensor(x.values.sum((1, 2), keepdims=True, dtype=np.int64).astype(qtype.dtype), qtype)

    def folding(self, q: int = 1, p: int = 1) -> GlobalPoolFolding:
        return GlobalPoolFolding(q, p, ram_style(self.x.shape[2], self.out_spec.qtype.bits))

    def timing(self, folding: Folding) -> Timing:
        """The sums leave with the last pixel."""
        channels = self.x.shape[2]
        before = (self.x.pixels - 1) * channels
        adds = Step(max(1, before), (("in", before),))
        gives = Step(channels, (("in", channels),), (("out", channels),))
        return Timing((Stage("sum", ((int(before > 0), adds), (1, gives))),), latency=2)

    def cost(self, folding: GlobalPoolFolding) -> Resources:
        """Counters of pixels and, through three stages, of channels; LUT RAM is read into flip-flops."""
        width, channel = self.out_spec.qtype.bits, address_bits(self.x.shape[2])
        registers = (
            3 * channel + self.x.pixels.bit_length() + self.x.qtype.bits + width * (2 - (folding.totals == BLOCK))
        )
        return Resources(lut=width + 12, ff=registers + 5) + ram_cost(1 << channel, width, folding.totals)

    def parameters(self, folding: GlobalPoolFolding) -> dict[str, int]:
        return {
            "PIXELS": self.x.pixels, "C": self.x.shape[2], "XW": self.x.qtype.bits,
            "X_SIGNED": int(self.x.qtype.signed), "YW": self.out_spec.qtype.bits,
            "BLOCK": int(folding.totals == BLOCK),
        }  # fmt: skip
