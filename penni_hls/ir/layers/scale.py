"""A product with and a sum of constants, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .base import MapSpec, OneMap
from .count import Count


@dataclass(frozen=True, eq=False)
class Scale(OneMap):
    """x * gain + offset; gain, offset: float32 (C,)."""

    gain: np.ndarray
    offset: np.ndarray

    def __post_init__(self) -> None:
        if not self.gain.shape == self.offset.shape == (self.x.shape[2],):
            raise ValueError(f"scale: two vectors of {self.x.shape[2]} are needed")

    @classmethod
    def of(cls, x: MapSpec, gain: Any = 1.0, offset: Any = 0.0) -> Scale:
        """gain, offset: one number, or one per channel."""
        return cls(x, *(np.broadcast_to(np.asarray(v, np.float32), x.shape[2:]).copy() for v in (gain, offset)))

    @property
    def count(self) -> Count:
        return Count(other=self.gain.size + self.offset.size)

    def reference(self, x: np.ndarray) -> np.ndarray:
        return x * self.gain + self.offset
