"""Average pooling of windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import MapSpec, OneMap, columns, windowed


@dataclass(frozen=True)
class AvgPool(OneMap):
    """The mean of each k x k window; what lies outside the image counts as 0."""

    kernel: int
    stride: int
    pad: int = 0

    @property
    def out_spec(self) -> MapSpec:
        return windowed(self.x, self.kernel, self.stride, self.pad, self.x.shape[2])

    def reference(self, x: np.ndarray) -> np.ndarray:
        """x (N, H, W, C) -> (N, Ho, Wo, C) float32."""
        return columns(x, self.kernel, self.stride, self.pad).mean(axis=3)
