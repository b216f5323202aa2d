"""narrow: a stream of several values in a beat becomes one of single values; the map stays as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ...target.resources import Resources
from ..fixed import IntTensor
from ..graph import TensorSpec
from .base import Folding, Operator
from .timing import Stage, Step, Timing


@dataclass(frozen=True)
class Narrow(Operator):
    """x: the map. values: of it in a beat of the input, 2 or more, which divide the map."""

    x: TensorSpec
    values: int = 4

    kind: ClassVar[str] = "narrow"

    def __post_init__(self) -> None:
        if self.values < 2 or self.x.tiled or math.prod(self.x.shape) % self.values:
            raise ValueError(f"narrow: {self.values} values in a beat of {self.x}")

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> TensorSpec:
        return self.x

    @property
    def values_in(self) -> int:
        return self.values

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> the same."""
        self.check_input(x)
        return x

    def timing(self, folding: Folding) -> Timing:
        count = math.prod(self.x.shape)
        step = Step(count, (("in", count // self.values),), (("out", count),))
        return Timing((Stage("narrow", ((1, step),)),), latency=1)

    def cost(self, folding: Folding) -> Resources:
        """A shift register of values, beside it one of flags, in which each bit but the last is loaded or moved."""
        bits = self.x.qtype.bits + 1
        return Resources(lut=bits * (self.values - 1) + 3, ff=bits * self.values)

    def parameters(self, folding: Folding) -> dict[str, int]:
        return {"XW": self.x.qtype.bits, "VALUES": self.values, "BEATS": math.prod(self.x.shape)}
