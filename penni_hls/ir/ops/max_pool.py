"""max_pool: y[p, c] = max over the k x k window at p*stride - pad of x[., c]; what lies outside counts as the smallest value.

Hardware: separable and streaming. A memory of the last k-1 pixels (C words) gives the maximum along a row; a memory of the
last k-1 such rows (Wo*C words) the maximum down a column. Pad pixels to the right and below are walked without input.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ...target.memory import BLOCK, LUT, MemoryStyle, address_bits, ram_cost, ram_style
from ...target.resources import Resources
from ..fixed import IntTensor
from ..graph import TensorSpec
from ..windows import taps, window_map
from .base import Folding, Operator


@dataclass(frozen=True)
class MaxPoolFolding(Folding):
    """pixels, rows: where the memories of the last k-1 pixels and of the last k-1 rows lie."""

    pixels: MemoryStyle = LUT
    rows: MemoryStyle = BLOCK


@dataclass(frozen=True)
class MaxPool(Operator):
    x: TensorSpec
    kernel: int
    stride: int
    pad: int = 0

    kind: ClassVar[str] = "max_pool"

    def __post_init__(self) -> None:
        if self.kernel < 1 or self.stride < 1 or not 0 <= self.pad < self.kernel:
            raise ValueError(f"max_pool: kernel {self.kernel}, stride {self.stride}, pad {self.pad}")
        if min(self.x.shape[:2]) + 2 * self.pad < self.kernel:
            raise ValueError(f"max_pool: a {self.kernel}x{self.kernel} window does not fit a {self.x} map")

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @cached_property
    def out_spec(self) -> TensorSpec:
        ho, wo = window_map(self.x.shape, self.kernel, self.stride, self.pad)
        return TensorSpec((ho, wo, self.x.shape[2]), self.x.qtype)

    @property
    def walked(self) -> tuple[int, int]:
        """Rows and columns walked, from the first real pixel: to the end of the last window or of the map."""
        (h, w, _), (ho, wo, _) = self.x.shape, self.out_spec.shape
        last = ((n - 1) * self.stride - self.pad + self.kernel for n in (ho, wo))
        return tuple(max(n, end) for n, end in zip((h, w), last))

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> (N, Ho, Wo, C)."""
        self.check_input(x)
        seen = taps(x.values, self.kernel, self.stride, self.pad, x.qtype.lo)
        return IntTensor(np.maximum.reduce(list(seen)), x.qtype)

    @property
    def _word(self) -> int:
        """Width of both memories."""
        return max(1, self.kernel - 1) * self.x.qtype.bits

    def folding(self, q: int = 1, p: int = 1) -> MaxPoolFolding:
        c, wo = self.x.shape[2], self.out_spec.shape[1]
        return MaxPoolFolding(q, p, ram_style(c, self._word), ram_style(wo * c, self._word))

    def cycles(self, folding: Folding) -> int:
        rows, columns = self.walked
        return rows * columns * self.x.shape[2]

    def cost(self, folding: MaxPoolFolding) -> Resources:
        c, wo, word = self.x.shape[2], self.out_spec.shape[1], self._word
        logic = Resources(lut=4 * word + 60, ff=4 * word + 40)
        pixels = ram_cost(1 << address_bits(c), word, folding.pixels)
        return logic + pixels + ram_cost(1 << address_bits(wo * c), word, folding.rows)

    def held_pixels(self, folding: Folding) -> float:
        """The rows of a window."""
        return self.kernel * self.out_spec.shape[1]

    @property
    def burst(self) -> int:
        """An output row comes at the rate of the input, then nothing while rows are dropped."""
        return self.out_spec.shape[1] * self.x.shape[2] if self.stride > 1 else 0

    def parameters(self, folding: MaxPoolFolding) -> dict[str, int]:
        h, w, c = self.x.shape
        ho, wo, _ = self.out_spec.shape
        rows, columns = self.walked
        return {
            "H": h, "W": w, "C": c, "HO": ho, "WO": wo, "K": self.kernel, "STRIDE": self.stride, "PAD": self.pad,
            "ROWS": rows, "COLUMNS": columns, "XW": self.x.qtype.bits, "X_SIGNED": int(self.x.qtype.signed),
            "ROW_BLOCK": int(folding.pixels == BLOCK), "COLUMN_BLOCK": int(folding.rows == BLOCK),
        }  # fmt: skip
