"""fork: one stream to n readers. A beat is taken when every reader has taken it; none waits for another's ready."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ...target.resources import Resources
from ..fixed import IntTensor
from ..graph import TensorSpec
from .base import Folding, Operator
from .timing import Stage, Step, Timing

MOST = 4  # readers of one: as many functions as hw/hls/penni_fork.hpp has


@dataclass(frozen=True)
class Fork(Operator):
    """x: the map copied, to `copies` readers in graph order, MOST at most."""

    x: TensorSpec
    copies: int = 2

    kind: ClassVar[str] = "fork"

    def __post_init__(self) -> None:
        if not 2 <= self.copies <= MOST:
            raise ValueError(f"fork: {self.copies} readers of {self.x}; 2 to {MOST} are possible")

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> TensorSpec:
        return self.x

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> the same."""
        self.check_input(x)
        return x

    @property
    def readers(self) -> int:
        return self.copies

    def timing(self, folding: Folding) -> Timing:
        beats = math.prod(self.x.shape)
        copies = tuple((port.name, beats) for port in self.outputs(folding))
        return Timing((Stage("copy", ((1, Step(beats, (("in", beats),), copies)),)),))

    def cost(self, folding: Folding) -> Resources:
        return Resources(lut=2.5 * self.copies, ff=self.copies)

    def parameters(self, folding: Folding) -> dict[str, int]:
        return {"XW": self.x.qtype.bits, "COPIES": self.copies, "BEATS": math.prod(self.x.shape)}
