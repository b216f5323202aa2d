"""clip: y = min(max(x, lo), hi). ReLU is lo = 0; where a requantizer computes it, no clip is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...target.resources import Resources
from ..fixed import IntTensor, QType
from ..graph import TensorSpec
from .base import Folding, Operator
from .timing import Stage, Step, Timing

MAX_BITS = 31  # bounds are plain ints in the hardware's parameters


@dataclass(frozen=True)
class Clip(Operator):
    """x: the map read. lo, hi: integers of its type. Where lo >= 0, the result of a signed map is unsigned."""

    x: TensorSpec
    lo: int
    hi: int

    kind: ClassVar[str] = "clip"

    def __post_init__(self) -> None:
        qtype = self.x.qtype
        if not qtype.lo <= self.lo < self.hi <= qtype.hi or qtype.bits > MAX_BITS:
            raise ValueError(f"clip: bounds {self.lo} and {self.hi} of a {self.x} map")

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> TensorSpec:
        qtype = self.x.qtype
        narrowed = QType(qtype.bits - 1, signed=False) if qtype.signed and self.lo >= 0 else qtype
        return TensorSpec(self.x.shape, narrowed)

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> the same shape."""
        self.check_input(x)
        qtype = self.out_spec.qtype
        return IntTensor(np.clip(x.values, self.lo, self.hi).astype(qtype.dtype), qtype)

    def timing(self, folding: Folding) -> Timing:
        beats = math.prod(self.x.shape)
        return Timing((Stage("clip", ((1, Step(beats, (("in", beats),), (("out", beats),))),)),), latency=1)

    def cost(self, folding: Folding) -> Resources:
        """Fitted to yosys: two bounds that are no powers of two, 8 and 16 bits; a ReLU takes a third."""
        return Resources(lut=1.4 * self.x.qtype.bits, ff=self.out_spec.qtype.bits + 1)

    def parameters(self, folding: Folding) -> dict[str, int]:
        return {
            "XW": self.x.qtype.bits, "X_SIGNED": int(self.x.qtype.signed), "YW": self.out_spec.qtype.bits,
            "LO": self.lo, "HI": self.hi, "BEATS": math.prod(self.x.shape),
        }  # fmt: skip
