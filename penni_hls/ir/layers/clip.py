"""Values held between two bounds: ReLU6, hardtanh, clamp."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .base import OneMap


@dataclass(frozen=True)
class Clip(OneMap):
    """min(max(x, lo), hi). None: no bound on that side; one is needed. ReLU6 has 0 and 6."""

    lo: float | None = None
    hi: float | None = None

    def __post_init__(self) -> None:
        given = [bound for bound in (self.lo, self.hi) if bound is not None]
        if not given or not all(map(math.isfinite, given)) or len(given) == 2 and self.lo >= self.hi:
            raise ValueError(f"clip: bounds {self.lo} and {self.hi}")

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.clip(x, self.lo, self.hi)

    def after(self, lo: float | None, hi: float | None) -> tuple[float | None, float | None]:
        """The bounds of its results where what it reads lies between `lo` and `hi`."""
        first = self.lo if lo is None else float(np.clip(lo, self.lo, self.hi))
        second = self.hi if hi is None else float(np.clip(hi, self.lo, self.hi))
        return first, second
