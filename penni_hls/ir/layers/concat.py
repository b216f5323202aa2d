"""The concatenation of two maps along their channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .base import FloatLayer, MapSpec


@dataclass(frozen=True)
class Concat(FloatLayer):
    """x, y: two maps with the same rows and columns; the channels of x come first."""

    keeps_scale: ClassVar[bool] = True

    x: MapSpec
    y: MapSpec

    def __post_init__(self) -> None:
        if self.x.shape[:2] != self.y.shape[:2]:
            raise ValueError(f"concat: a {self.x} and a {self.y} map")

    @property
    def in_specs(self) -> tuple[MapSpec, ...]:
        return (self.x, self.y)

    @property
    def out_spec(self) -> MapSpec:
        h, w, channels = self.x.shape
        return MapSpec((h, w, channels + self.y.shape[2]))

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """x (N, H, W, C0), y (N, H, W, C1) -> (N, H, W, C0 + C1)."""
        return np.concatenate([x, y], axis=3)
