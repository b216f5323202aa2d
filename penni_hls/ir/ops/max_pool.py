"""max_pool: y[p, c] = max over the k x k window at p*stride - pad of x[., c]; what lies outside counts as the smallest
value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...target.resources import Resources
from ..fixed import IntTensor, QType
from ..windows import taps
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
        seen = taps(x.values, self.kernel, self.stride, self.pad, x.qtype.lo)
        return IntTensor(np.maximum.reduce(list(seen)), x.qtype)

    def cost(self, folding: WindowPoolFolding) -> Resources:
        word, _ = self.words
        return Resources(lut=4 * word + 60, ff=4 * word + 40) + self.memory_cost(folding)
