"""deal: images to n readers by turns; image i goes to reader i mod n, and to no other."""

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
class Deal(Operator):
    """x: the map of an image. copies: readers, in graph order. values: of the map in a beat, in and out."""

    x: TensorSpec
    copies: int = 2
    values: int = 1

    kind: ClassVar[str] = "deal"

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> TensorSpec:
        return self.x

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> the same; each reader is given its share of it."""
        self.check_input(x)
        return x

    @property
    def readers(self) -> int:
        return self.copies

    @property
    def values_in(self) -> int:
        return self.values

    @property
    def values_out(self) -> int:
        return self.values

    @property
    def takes(self) -> int:
        return self.copies

    def given(self, value: IntTensor, reader: int) -> IntTensor:
        return IntTensor(value.values[reader :: self.copies], value.qtype)

    def images_out(self, images: tuple[int, ...], reader: int) -> int:
        return len(range(reader, images[0], self.copies))

    def timing(self, folding: Folding) -> Timing:
        beats = self._beats
        steps = (Step(beats, (("in", beats),), ((port.name, beats),)) for port in self.outputs(folding))
        return Timing((Stage("deal", tuple((1, step) for step in steps)),))

    def cost(self, folding: Folding) -> Resources:
        """A counter of beats and one of readers, fitted to yosys."""
        bits = (self._beats - 1).bit_length()
        return Resources(lut=6 + 0.5 * bits + self.copies, ff=bits + self.copies)

    def parameters(self, folding: Folding) -> dict[str, int]:
        return {"XW": self.x.qtype.bits * self.values, "COPIES": self.copies, "BEATS": self._beats}

    @property
    def _beats(self) -> int:
        return math.prod(self.x.shape) // self.values
