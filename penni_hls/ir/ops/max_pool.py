"""max_pool: y[p, c] = max over the window at p*stride - pad of x[., c]; what lies outside counts as the smallest
value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...target.resources import Resources
from ..fixed import IntTensor, QType
from .window_pool import WindowPool, WindowPoolFolding


@dataclass(frozen=True)
class MaxPool(WindowPool):
    kind: ClassVar[str] = "max_pool"

    @property
    def row_type(self) -> QType:
        return self.x.qtype

    @property
    def out_type(self) -> QType:
        return self.x.qtype

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> (N, Ho, Wo, C)."""
        self.check_input(x)
        return IntTensor(np.maximum.reduce(list(self.window.seen(x.values, x.qtype.lo))), x.qtype)

    def cost(self, folding: WindowPoolFolding) -> Resources:
        kept = sum(self.words)
        return Resources(lut=2 * kept + 60) + self.walk_cost(folding)
