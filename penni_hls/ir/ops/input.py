"""input: the raw pixels as they enter the accelerator. No hardware of its own: it is the top's input port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...target.resources import Resources
from ..fixed import IntTensor
from ..graph import TensorSpec
from ..streams import Stream
from .base import Folding, Operator
from .timing import Stage, Step, Timing


@dataclass(frozen=True)
class Input(Operator):
    """spec: the map of pixels. values: of them in a beat."""

    spec: TensorSpec
    values: int = 1

    kind: ClassVar[str] = "input"
    hardware: ClassVar[bool] = False

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return ()

    @property
    def out_spec(self) -> TensorSpec:
        return self.spec

    @property
    def values_out(self) -> int:
        return self.values

    def reference(self, images: np.ndarray) -> IntTensor:
        """images (N, H, W, C) in the dtype of the type -> the same; ValueError where they are of another shape."""
        if images.shape[1:] != self.spec.shape or images.dtype != self.spec.qtype.dtype:
            raise ValueError(f"the network takes images {self.spec}; these are {images.shape[1:]} {images.dtype}")
        return IntTensor(images, self.spec.qtype)

    def timing(self, folding: Folding) -> Timing:
        beats = Stream(self.spec, self.values).beats_per_frame
        return Timing((Stage("input", ((1, Step(beats, gives=(("out", beats),))),)),))

    def cost(self, folding: Folding) -> Resources:
        return Resources()

    def parameters(self, folding: Folding) -> dict[str, int]:
        return {}
