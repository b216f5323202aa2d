"""basis_conv: z[c,b,p] = sat(rshift(sum_t B[b,t] * x[c, p*stride + t - pad], s_b), Z), the dense half of a PENNI layer.

Hardware: row buffers hold the rows that a group of q output pixels needs and those of the next; a walker reads one
column of k values per cycle in tile order (group, channel, column), a window register shifts, a constant adder graph
gives all d sums at once, and q neighbours of one (channel, basis) leave as one beat.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ...target.memory import BLOCK, MemoryStyle, ram_cost, ram_style
from ...target.resources import Resources
from ..fixed import IntTensor, QType, exact_dtype, rshift, sat
from ..graph import TensorSpec
from ..windows import taps, window_map
from . import adder_graph
from .base import Folding, Operator
from .memory import Memory

GROUP_OVERHEAD = 1  # cycles before a group's first column


@dataclass(frozen=True)
class BasisConvFolding(Folding):
    """rows: where the row buffers lie."""

    rows: MemoryStyle = BLOCK


@dataclass(frozen=True, eq=False)
class BasisConv(Operator):
    """x: the map read. basis: int64 (d, k, k). shifts: s_b for each basis. pad_value: int64 (C,), what lies outside."""

    x: TensorSpec
    basis: np.ndarray
    shifts: tuple[int, ...]
    z_type: QType
    stride: int
    pad: int
    pad_value: np.ndarray

    kind: ClassVar[str] = "basis_conv"

    def __post_init__(self) -> None:
        d, k, k2 = self.basis.shape
        if k != k2 or len(self.shifts) != d or self.pad_value.shape != (self.x.shape[2],):
            raise ValueError(
                "basis_conv: basis (d, k, k), one shift per basis and one pad value per channel are needed"
            )
        if not 1 <= self.stride <= k or not 0 <= self.pad < k:
            raise ValueError(f"basis_conv: stride {self.stride} and pad {self.pad} do not go with a {k}x{k} kernel")
        if not self.x.qtype.holds(self.pad_value):
            raise ValueError(f"basis_conv: a pad value is not within {self.x.qtype}")
        if min(self.x.shape[:2]) + 2 * self.pad < k:
            raise ValueError(f"basis_conv: a {k}x{k} kernel does not fit a {self.x} map with pad {self.pad}")

    @property
    def kernel(self) -> int:
        return self.basis.shape[1]

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @cached_property
    def out_spec(self) -> TensorSpec:
        ho, wo = window_map(self.x.shape, self.kernel, self.stride, self.pad)
        return TensorSpec((ho, wo, self.x.shape[2], self.basis.shape[0]), self.z_type)

    @cached_property
    def sums(self) -> adder_graph.RoundedSums:
        graph = adder_graph.solve(self.basis.reshape(len(self.shifts), -1), self.x.qtype)
        return adder_graph.RoundedSums(graph, self.shifts, self.z_type)

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> z (N, Ho, Wo, C, d)."""
        self.check_input(x)
        ho, wo, c, d = self.out_spec.shape
        bound = np.abs(self.basis).sum((1, 2)).max() * max(-x.qtype.lo, x.qtype.hi) + (1 << max(self.shifts))
        dtype = exact_dtype(int(bound))
        seen = [tap.ravel() for tap in taps(x.values, self.kernel, self.stride, self.pad, self.pad_value, dtype)]
        sums = self.basis.reshape(d, -1).astype(dtype) @ np.stack(seen)
        z = np.stack([sat(rshift(row, shift), self.z_type) for row, shift in zip(sums, self.shifts)])
        return IntTensor(np.moveaxis(z.reshape(d, -1, ho, wo, c), 0, -1), self.z_type)

    def foldings(self) -> tuple[Folding, ...]:
        pixels = self.out_spec.pixels
        return tuple(self.folding(q) for q in (1, 2, 4, 8, 16, 32) if q < 2 * pixels)

    def folding(self, q: int = 1, p: int = 1) -> BasisConvFolding:
        _, w, c = self.x.shape
        return BasisConvFolding(q, p, ram_style(w * c, self.rows(q) * self.x.qtype.bits))

    def _groups(self, q: int) -> tuple[tuple[int, ...], ...]:
        return row_segments(*self.out_spec.shape[:2], q)

    def columns(self, segments: tuple[int, ...], q: int) -> int:
        """Cycles to walk one channel of a group: k columns bring the first window of a row, `stride` each further one;
        a short group repeats its last window up to q."""
        walk = sum(n * self.stride + self.kernel - self.stride for n in segments) + q - sum(segments)
        return max(walk, len(self.shifts))

    def rows(self, q: int) -> int:
        """Rows the buffer holds: those of one group, and as many again as the next group moves on by."""
        span = max(len(segments) for segments in self._groups(q))
        return self.kernel + self.stride * span

    def cycles(self, folding: Folding) -> int:
        channels = self.x.shape[2]
        groups = self._groups(folding.q)
        walk = channels * sum(self.columns(segments, folding.q) for segments in groups) + GROUP_OVERHEAD * len(groups)
        return max(walk, math.prod(self.x.shape))

    def cost(self, folding: BasisConvFolding) -> Resources:
        """Adders cost a LUT a bit; gathering costs q*d values in registers; the rest was fitted to yosys (docs/benchmarks)."""
        x_bits, z_bits, d, k = self.x.qtype.bits, self.z_type.bits, len(self.shifts), self.kernel
        h, w, c = self.x.shape
        rows = self.rows(folding.q)
        word = folding.q * z_bits
        pad = 0 if not self.pad_value.any() else k * x_bits  # else the registers' reset does it
        lut = 0.7 * self.sums.graph.adder_bits + d * (2 * z_bits + 9) + 0.9 * word * math.ceil((d - 1) / 4) + 260 + pad
        ff = 0.78 * self.sums.graph.register_bits + 1.17 * d * word + k * k * x_bits + 260
        return Resources(lut=lut, ff=ff) + ram_cost(w * c, rows * x_bits, folding.rows)

    def held_pixels(self, folding: Folding) -> float:
        """The row buffer, and a group in flight."""
        return self.rows(folding.q) * self.x.shape[1] * self.out_spec.pixels / self.x.pixels + folding.q

    def parameters(self, folding: BasisConvFolding) -> dict[str, int]:
        h, w, c = self.x.shape
        ho, wo, _, d = self.out_spec.shape
        return {
            "H": h, "W": w, "C": c, "HO": ho, "WO": wo, "K": self.kernel, "STRIDE": self.stride, "PAD": self.pad,
            "D": d, "Q": folding.q, "ROWS": self.rows(folding.q), "XW": self.x.qtype.bits,
            "X_SIGNED": int(self.x.qtype.signed), "ZW": self.z_type.bits, "LATENCY": self.sums.latency,
            "PAD_ZERO": int(not self.pad_value.any()),
            "BLOCK": int(folding.rows == BLOCK),
        }  # fmt: skip

    def memories(self, folding: Folding) -> dict[str, Memory]:
        mask = (1 << self.x.qtype.bits) - 1
        return {"pad": Memory(self.x.qtype.bits, tuple(int(v) & mask for v in self.pad_value))}


@functools.cache
def row_segments(rows: int, width: int, q: int) -> tuple[tuple[int, ...], ...]:
    """For each group of q pixels of a rows x width map: how many of them lie in each row that the group touches."""
    groups = []
    for start in range(0, rows * width, q):
        end = min(start + q, rows * width)
        edges = [start, *range((start // width + 1) * width, end, width), end]
        groups.append(tuple(b - a for a, b in zip(edges, edges[1:])))
    return tuple(groups)
