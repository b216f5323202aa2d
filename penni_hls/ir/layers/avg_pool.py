"""Average pooling of windows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..windows import Pair, Sides, Window
from .base import MapSpec, OneMap, columns, windowed


@dataclass(frozen=True)
class AvgPool(OneMap):
    """The mean of each window; what lies outside the image counts as 0."""

    kernel: Pair
    stride: Pair
    pad: Sides = 0

    @cached_property
    def window(self) -> Window:
        return Window.of(self.kernel, self.stride, self.pad)

    @property
    def out_spec(self) -> MapSpec:
        return windowed(self.x, self.window, self.x.shape[2])

    def reference(self, x: np.ndarray) -> np.ndarray:
        """x (N, H, W, C) -> (N, Ho, Wo, C) float32."""
        return columns(x, self.window).mean(axis=3)
