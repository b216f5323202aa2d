"""What max_pool and avg_pool share: windows of a map, reduced along rows first, then down columns.

Hardware: one walk over the map. A memory of the last kw-1 pixels (C words) gives the result along a row; a memory of the
last kh-1 such results (Wo*C words) the result down a column. Pad pixels to the right and below are walked without input.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

from ...target.memory import BLOCK, LUT, MemoryStyle, address_bits, ram_cost, ram_style
from ...target.resources import Resources
from ..fixed import QType
from ..graph import TensorSpec
from ..windows import Pair, Sides, Window
from .base import Folding, Operator
from .timing import Stage, Step, Timing


@dataclass(frozen=True)
class WindowPoolFolding(Folding):
    """pixels, rows: where the memories of the last kw-1 pixels and of the last kh-1 rows lie."""

    pixels: MemoryStyle = LUT
    rows: MemoryStyle = BLOCK


@dataclass(frozen=True)
class WindowPool(Operator):
    """y[p, c] from the window at p*stride - pad of x[., c]."""

    x: TensorSpec
    kernel: Pair
    stride: Pair
    pad: Sides = 0

    def __post_init__(self) -> None:
        if not self.window.fits(self.x.shape) or not self.window.overlaps:
            raise ValueError(f"{self.kind}: a {self.window}, does not fit a {self.x} map")

    @cached_property
    def window(self) -> Window:
        return Window.of(self.kernel, self.stride, self.pad)

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
        ho, wo = self.window.map_of(self.x.shape)
        return TensorSpec((ho, wo, self.x.shape[2]), self.out_type)

    @property
    def walked(self) -> tuple[int, int]:
        """Rows and columns walked, from the first real pixel: to the end of the last window or of the map."""
        (h, w, _), (ho, wo, _), window = self.x.shape, self.out_spec.shape, self.window
        rows, columns = (
            max(length, (count - 1) * window.stride[axis] - window.pads[axis] + window.kernel[axis])
            for axis, (length, count) in enumerate(((h, ho), (w, wo)))
        )
        return rows, columns

    @property
    def words(self) -> tuple[int, int]:
        """Widths of the memory of pixels and of the memory of rows."""
        rows, pixels = (max(1, k - 1) for k in self.window.kernel)
        return pixels * self.x.qtype.bits, rows * self.row_type.bits

    def folding(self, q: int = 1, p: int = 1) -> WindowPoolFolding:
        c, wo = self.x.shape[2], self.out_spec.shape[1]
        pixel, row = self.words
        return WindowPoolFolding(q, p, ram_style(c, pixel), ram_style(wo * c, row))

    def timing(self, folding: Folding) -> Timing:
        """Row by row; those outside the map are walked without input."""
        (h, w, c), (ho, wo, _) = self.x.shape, self.out_spec.shape
        rows, columns = self.walked
        window = self.window
        ends = {i * window.stride[0] - window.pads[0] + window.kernel[0] - 1 for i in range(ho)}
        steps = [
            Step(columns * c, (("in", w * c if row < h else 0),), (("out", wo * c if row in ends else 0),))
            for row in range(rows)
        ]
        return Timing((Stage("walk", tuple((1, step) for step in steps)),), latency=3)

    def walk_cost(self, folding: WindowPoolFolding) -> Resources:
        """The memories and all flip-flops: what they lie in is read into some, and counters follow through three stages."""
        c, (ho, wo, _), (rows, columns) = self.x.shape[2], self.out_spec.shape, self.walked
        (kh, kw), (down, right), (pixel, row) = self.window.kernel, self.window.stride, self.words
        memories = ram_cost(1 << address_bits(c), pixel, folding.pixels)
        memories += ram_cost(1 << address_bits(wo * c), row, folding.rows)
        counters = 2 * address_bits(c) + address_bits(columns) + address_bits(rows) + 4 * address_bits(wo * c)
        counters += wo.bit_length() + ho.bit_length() + address_bits(max(kh, down)) + address_bits(max(kw, right))
        read = pixel * (folding.pixels == LUT) + row * (folding.rows == LUT)
        values = self.x.qtype.bits + self.row_type.bits + row + 2 * self.out_type.bits
        return memories + Resources(ff=counters + read + values + kw + 2 * kh + 9)

    def parameters(self, folding: WindowPoolFolding) -> dict[str, int]:
        h, w, c = self.x.shape
        ho, wo, _ = self.out_spec.shape
        rows, columns = self.walked
        return {
            "H": h, "W": w, "C": c, "HO": ho, "WO": wo, **self.window.parameters(),
            "ROWS": rows, "COLUMNS": columns, "XW": self.x.qtype.bits, "X_SIGNED": int(self.x.qtype.signed),
            "ROW_BLOCK": int(folding.pixels == BLOCK), "COLUMN_BLOCK": int(folding.rows == BLOCK),
        }  # fmt: skip
