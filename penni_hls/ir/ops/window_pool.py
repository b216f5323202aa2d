"""What max_pool and avg_pool share: k x k windows of a map, reduced along rows first, then down columns.

Hardware: one walk over the map. A memory of the last k-1 pixels (C words) gives the result along a row; a memory of the
last k-1 such results (Wo*C words) the result down a column. Pad pixels to the right and below are walked without input.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

from ...target.memory import BLOCK, LUT, MemoryStyle, address_bits, ram_cost, ram_style
from ...target.resources import Resources
from ..fixed import QType
from ..graph import TensorSpec
from ..windows import window_map
from .base import Folding, Operator


@dataclass(frozen=True)
class WindowPoolFolding(Folding):
    """pixels, rows: where the memories of the last k-1 pixels and of the last k-1 rows lie."""

    pixels: MemoryStyle = LUT
    rows: MemoryStyle = BLOCK


@dataclass(frozen=True)
class WindowPool(Operator):
    """y[p, c] from the k x k window at p*stride - pad of x[., c]."""

    x: TensorSpec
    kernel: int
    stride: int
    pad: int = 0

    def __post_init__(self) -> None:
        if self.kernel < 1 or self.stride < 1 or not 0 <= self.pad < self.kernel:
            raise ValueError(f"{self.kind}: kernel {self.kernel}, stride {self.stride}, pad {self.pad}")
        if min(self.x.shape[:2]) + 2 * self.pad < self.kernel:
            raise ValueError(f"{self.kind}: a {self.kernel}x{self.kernel} window does not fit a {self.x} map")

    @property
    @abstractmethod
    def row_type(self) -> QType:
        """What a window gives along one row."""

    @property
    @abstractmethod
    def out_type(self) -> QType:
        """What a window gives."""

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @cached_property
    def out_spec(self) -> TensorSpec:
        ho, wo = window_map(self.x.shape, self.kernel, self.stride, self.pad)
        return TensorSpec((ho, wo, self.x.shape[2]), self.out_type)

    @property
    def walked(self) -> tuple[int, int]:
        """Rows and columns walked, from the first real pixel: to the end of the last window or of the map."""
        (h, w, _), (ho, wo, _) = self.x.shape, self.out_spec.shape
        last = ((n - 1) * self.stride - self.pad + self.kernel for n in (ho, wo))
        return tuple(max(n, end) for n, end in zip((h, w), last))

    @property
    def words(self) -> tuple[int, int]:
        """Widths of the memory of pixels and of the memory of rows."""
        kept = max(1, self.kernel - 1)
        return kept * self.x.qtype.bits, kept * self.row_type.bits

    def folding(self, q: int = 1, p: int = 1) -> WindowPoolFolding:
        c, wo = self.x.shape[2], self.out_spec.shape[1]
        pixel, row = self.words
        return WindowPoolFolding(q, p, ram_style(c, pixel), ram_style(wo * c, row))

    def cycles(self, folding: Folding) -> int:
        rows, columns = self.walked
        return rows * columns * self.x.shape[2]

    def memory_cost(self, folding: WindowPoolFolding) -> Resources:
        c, wo = self.x.shape[2], self.out_spec.shape[1]
        pixel, row = self.words
        pixels = ram_cost(1 << address_bits(c), pixel, folding.pixels)
        return pixels + ram_cost(1 << address_bits(wo * c), row, folding.rows)

    def held_pixels(self, folding: Folding) -> float:
        """The rows of a window."""
        return self.kernel * self.out_spec.shape[1]

    @property
    def burst(self) -> int:
        """An output row comes at the rate of the input, then nothing while rows are dropped."""
        return self.out_spec.shape[1] * self.x.shape[2] if self.stride > 1 else 0

    def parameters(self, folding: WindowPoolFolding) -> dict[str, int]:
        h, w, c = self.x.shape
        ho, wo, _ = self.out_spec.shape
        rows, columns = self.walked
        return {
            "H": h, "W": w, "C": c, "HO": ho, "WO": wo, "K": self.kernel, "STRIDE": self.stride, "PAD": self.pad,
            "ROWS": rows, "COLUMNS": columns, "XW": self.x.qtype.bits, "X_SIGNED": int(self.x.qtype.signed),
            "ROW_BLOCK": int(folding.pixels == BLOCK), "COLUMN_BLOCK": int(folding.rows == BLOCK),
        }  # fmt: skip
