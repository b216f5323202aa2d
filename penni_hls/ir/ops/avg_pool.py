"""avg_pool: y[p, c] = sum over the window at p*stride - pad of x[., c], exact; what lies outside counts as 0.

The mean's division by kh*kw is in the scale of what reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...target.resources import Resources
from ..fixed import IntTensor, QType, smallest_qtype
from .window_pool import WindowPool, WindowPoolFolding


@dataclass(frozen=True)
class AvgPool(WindowPool):
    kind: ClassVar[str] = "avg_pool"

    def _sums(self, values: int) -> QType:
        return smallest_qtype(values * self.x.qtype.lo, values * self.x.qtype.hi)

    @property
    def row_type(self) -> QType:
        return self._sums(self.window.kernel[1])

    @property
    def out_type(self) -> QType:
        return self._sums(self.window.taps)

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> (N, Ho, Wo, C)."""
        self.check_input(x)
        seen = self.window.seen(x.values, 0, np.dtype(np.int64))
        return IntTensor(sum(seen).astype(self.out_type.dtype), self.out_type)

    def cost(self, folding: WindowPoolFolding) -> Resources:
        """Logic fitted to yosys: 2x2 to 8x8 windows of 8 and 12 bits."""
        kept = sum(self.words)
        return Resources(lut=2.2 * kept + 45) + self.walk_cost(folding)

    def parameters(self, folding: WindowPoolFolding) -> dict[str, int]:
        return {**super().parameters(folding), "RW": self.row_type.bits, "YW": self.out_type.bits}
