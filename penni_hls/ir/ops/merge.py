"""merge: the images of n streams by turns; image i is the next one of input i mod n."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...target.resources import Resources
from ..fixed import IntTensor
from ..graph import TensorSpec
from .base import Folding, Operator
from .timing import Stage, Step, Timing

MOST = 4  # inputs of hw/rtl/penni_merge.sv


@dataclass(frozen=True)
class Merge(Operator):
    """x: the map of an image, the same at each of `copies` inputs."""

    x: TensorSpec
    copies: int = 2

    kind: ClassVar[str] = "merge"
    input_names: ClassVar[tuple[str, ...]] = ("in", "second", "third", "fourth")

    def __post_init__(self) -> None:
        if not 2 <= self.copies <= MOST or self.x.tiled:
            raise ValueError(f"merge: {self.copies} streams of {self.x}; 2 to {MOST} maps are possible")

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,) * self.copies

    @property
    def out_spec(self) -> TensorSpec:
        return self.x

    def reference(self, *inputs: IntTensor) -> IntTensor:
        """(N_i, H, W, C) of each input -> (sum of N_i, H, W, C). N_i are equal, or after some input smaller by one."""
        self.check_input(*inputs)
        total = sum(len(tensor.values) for tensor in inputs)
        values = np.empty((total, *self.x.shape), inputs[0].values.dtype)
        for turn, tensor in enumerate(inputs):
            values[turn :: self.copies] = tensor.values
        return IntTensor(values, self.x.qtype)

    @property
    def gives(self) -> int:
        return self.copies

    def images_out(self, images: tuple[int, ...], reader: int) -> int:
        return sum(images)

    def timing(self, folding: Folding) -> Timing:
        beats = math.prod(self.x.shape)
        steps = (Step(beats, ((port.name, beats),), (("out", beats),)) for port in self.inputs(folding))
        return Timing((Stage("merge", tuple((1, step) for step in steps)),))

    def cost(self, folding: Folding) -> Resources:
        """A multiplexer, a counter of beats and one of inputs, fitted to yosys."""
        bits = (math.prod(self.x.shape) - 1).bit_length()
        return Resources(lut=4 + 0.8 * bits + 1.2 * self.x.qtype.bits, ff=bits + 2)

    def parameters(self, folding: Folding) -> dict[str, int]:
        bits = self.x.qtype.bits
        return {
            "XW": bits, "COPIES": self.copies, "BEATS": math.prod(self.x.shape),
            "THIRDW": bits if self.copies > 2 else 1, "FOURTHW": bits if self.copies > 3 else 1,
        }  # fmt: skip
