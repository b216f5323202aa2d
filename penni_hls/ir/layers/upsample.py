"""Nearest-neighbour upsampling by a whole factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .base import MapSpec, OneMap


@dataclass(frozen=True)
class Upsample(OneMap):
    """Each pixel becomes `factor` x `factor` equal ones."""

    keeps_scale: ClassVar[bool] = True

    factor: int

    def __post_init__(self) -> None:
        if self.factor < 2:
            raise ValueError(f"upsample: factor {self.factor}")

    @property
    def out_spec(self) -> MapSpec:
        h, w, channels = self.x.shape
        return MapSpec((h * self.factor, w * self.factor, channels))

    def reference(self, x: np.ndarray) -> np.ndarray:
        """x (N, H, W, C) -> (N, H*factor, W*factor, C)."""
        return x.repeat(self.factor, axis=1).repeat(self.factor, axis=2)
