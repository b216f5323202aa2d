"""concat: y[p] = the channels of the first map at pixel p, then those of the second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...target.resources import Resources
from ..fixed import IntTensor
from ..graph import TensorSpec
from .base import Folding, Operator
from .timing import STEPS, Stage, Step, Timing


@dataclass(frozen=True)
class Concat(Operator):
    """x, y: two maps with the same rows, columns and type."""

    x: TensorSpec
    y: TensorSpec

    kind: ClassVar[str] = "concat"
    input_names: ClassVar[tuple[str, ...]] = ("in", "second")

    def __post_init__(self) -> None:
        if self.x.shape[:2] != self.y.shape[:2] or self.x.qtype != self.y.qtype or self.x.tiled or self.y.tiled:
            raise ValueError(f"concat: {self.x} and {self.y}")

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x, self.y)

    @property
    def out_spec(self) -> TensorSpec:
        h, w, channels = self.x.shape
        return TensorSpec((h, w, channels + self.y.shape[2]), self.x.qtype)

    def reference(self, x: IntTensor, y: IntTensor) -> IntTensor:
        """x (N, H, W, C0), y (N, H, W, C1) -> (N, H, W, C0 + C1)."""
        self.check_input(x, y)
        return IntTensor(np.concatenate([x.values, y.values], axis=3), x.qtype)

    def timing(self, folding: Folding) -> Timing:
        """Pixel by pixel; of many pixels, some are one step, as if they came evenly from both."""
        first, second = self.x.shape[2], self.y.shape[2]
        pixels = self.x.pixels
        if pixels > STEPS:
            both = (("in", first * pixels), ("second", second * pixels)), (("out", (first + second) * pixels),)
            return Timing((Stage("join", ((1, Step((first + second) * pixels, *both)),)),))
        steps = (
            (1, Step(first, (("in", first),), (("out", first),))),
            (1, Step(second, (("second", second),), (("out", second),))),
        )
        return Timing((Stage("join", steps * pixels),))

    def cost(self, folding: Folding) -> Resources:
        """A multiplexer of two values and a counter of channels, fitted to yosys at 4 to 768 channels."""
        counter = (self.out_spec.shape[2] - 1).bit_length()
        return Resources(lut=self.x.qtype.bits + counter + 2, ff=counter)

    def parameters(self, folding: Folding) -> dict[str, int]:
        return {
            "PIXELS": self.x.pixels, "C0": self.x.shape[2], "C1": self.y.shape[2], "XW": self.x.qtype.bits,
        }  # fmt: skip
