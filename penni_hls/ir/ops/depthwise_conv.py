"""depthwise_conv: y[c,p] = sat(rshift(acc*M[c] + bias[c], S), Y), acc[c,p] = sum_t A[c,t] * x[c, p*stride + t - pad].

Hardware: the row buffer and column walker of a basis convolution, one pixel after the other; k multipliers take a
column of a window per cycle, an accumulator adds up its k columns, a requantizer follows. Nothing lies between them: no
basis maps, no memory of sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ...target.memory import BLOCK, MemoryStyle, ram_cost, ram_style, rom_cost, rom_style
from ...target.resources import Resources
from ..fixed import MULTIPLIER, IntTensor, QType, Requant, exact_dtype, smallest_qtype
from ..graph import TensorSpec
from ..windows import taps, window_map
from .base import Folding, Operator
from .memory import Memory, to_word

PIXEL_OVERHEAD = 1  # cycles to go to a pixel's first column
SETTLED = 6  # frames after which the row buffer's writer and reader are in step


@dataclass(frozen=True)
class DepthwiseConvFolding(Folding):
    """Where its memories lie: the row buffer, the coefficients, the constants of the requantizer."""

    rows: MemoryStyle = BLOCK
    coefs: MemoryStyle = BLOCK
    requant: MemoryStyle = BLOCK


@dataclass(frozen=True, eq=False)
class DepthwiseConv(Operator):
    """x: the map read. coefs: int64 (C, k, k). pad_value: int64 (C,), what lies outside."""

    x: TensorSpec
    coefs: np.ndarray
    coef_type: QType
    requant: Requant
    stride: int
    pad: int
    pad_value: np.ndarray

    kind: ClassVar[str] = "depthwise_conv"

    def __post_init__(self) -> None:
        c, k = self.x.shape[2], self.kernel
        if self.coefs.shape != (c, k, k) or not len(self.requant.multiplier) == len(self.pad_value) == c:
            raise ValueError(f"depthwise_conv: coefficients {self.coefs.shape} do not go with a {self.x} map")
        if not self.coef_type.holds(self.coefs) or not self.x.qtype.holds(self.pad_value):
            raise ValueError(f"depthwise_conv: a coefficient is not within {self.coef_type}, or a pad value not in x")
        if not 1 <= self.stride <= k or not 0 <= self.pad < k:
            raise ValueError(f"depthwise_conv: stride {self.stride} and pad {self.pad} do not go with a {k}x{k} kernel")
        if min(self.x.shape[:2]) + 2 * self.pad < k:
            raise ValueError(f"depthwise_conv: a {k}x{k} kernel does not fit a {self.x} map with pad {self.pad}")
        if self.requant.skip_multiplier:
            raise ValueError("depthwise_conv: it adds no skip connection")

    @property
    def kernel(self) -> int:
        return self.coefs.shape[-1]

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @cached_property
    def out_spec(self) -> TensorSpec:
        ho, wo = window_map(self.x.shape, self.kernel, self.stride, self.pad)
        return TensorSpec((ho, wo, self.x.shape[2]), self.requant.out)

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest sum of each channel, over all x the type allows."""
        ends = np.stack([self.coefs * self.x.qtype.lo, self.coefs * self.x.qtype.hi])
        return ends.min(0).sum((1, 2)), ends.max(0).sum((1, 2))

    @cached_property
    def acc_type(self) -> QType:
        """The narrowest type of every exact sum, whole and in part."""
        lo, hi = self._ends
        return smallest_qtype(min(-1, int(lo.min())), int(hi.max()))

    @cached_property
    def total_type(self) -> QType:
        """The type of acc*M + bias + rounding."""
        lo, hi = (end * self.requant.multiplier + self.requant.rounded_bias() for end in self._ends)
        return smallest_qtype(min(-1, int(lo.min())), int(hi.max()))

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> y (N, Ho, Wo, C)."""
        self.check_input(x)
        dtype = exact_dtype(max(-self.acc_type.lo, self.acc_type.hi))
        acc = np.zeros((len(x.values), *self.out_spec.shape), dtype)
        coefs = self.coefs.reshape(len(self.coefs), -1).T.astype(dtype)
        for tap, coef in zip(taps(x.values, self.kernel, self.stride, self.pad, self.pad_value, dtype), coefs):
            acc += tap * coef
        return IntTensor(self.requant.apply(acc), self.requant.out)

    def folding(self, q: int = 1, p: int = 1) -> DepthwiseConvFolding:
        _, w, c = self.x.shape
        rows = ram_style(w * c, self.rows * self.x.qtype.bits)
        return DepthwiseConvFolding(q, p, rows, rom_style(c * self.kernel), rom_style(c))

    @property
    def rows(self) -> int:
        """Rows the buffer holds: those of a window, and as many more as the next row of windows moves on by."""
        return self.kernel + self.stride

    def multipliers(self, folding: Folding) -> int:
        return self.kernel

    @property
    def products(self) -> int:
        return int(np.count_nonzero(self.coefs)) * self.out_spec.pixels

    def cycles(self, folding: Folding) -> int:
        """One per column read and one per pixel; or the input's values; or, where the buffer is full at a frame's end,
        what lies between: the walker and the writer are followed row by row until they are in step."""
        ends = self._frame_ends(SETTLED)
        return ends[-1] - ends[-2]

    def _frame_ends(self, frames: int) -> list[int]:
        """The cycle in which each frame's last column is read, when input is always there."""
        (h, w, c), k, s = self.x.shape, self.kernel, self.stride
        ho, wo, _ = self.out_spec.shape
        written: list[int] = []  # for each row of all frames: the cycle of its last value
        freed: list[int] = []  # likewise, the cycle in which it is no longer needed
        end = -1
        ends = []
        for frame in range(frames):
            for y in range(ho):
                # All rows of the frame must be there to be freed with its last row of windows.
                needed = h if y == ho - 1 else min(y * s - self.pad + k, h)
                while len(written) < frame * h + needed:
                    room = freed[len(written) - self.rows] + 1 if len(written) >= self.rows else 0
                    written.append(max(written[-1] + 1 if written else 0, room) + w * c - 1)
                start = max(end + 1 + PIXEL_OVERHEAD, written[frame * h + needed - 1] + 1)
                end = start + wo * (PIXEL_OVERHEAD + c * k) - 1 - PIXEL_OVERHEAD
                kept = h if y == ho - 1 else max(0, (y + 1) * s - self.pad)
                freed += [end] * (frame * h + kept - len(freed))
            ends.append(end)
        return ends

    def _bias_bits(self) -> int:
        bias = self.requant.rounded_bias()
        return smallest_qtype(min(-1, int(bias.min())), int(bias.max())).bits

    def cost(self, folding: DepthwiseConvFolding) -> Resources:
        """One DSP per multiplier and one or two for M. The rest was fitted to what yosys makes of kernels from
        2x2 to 7x7 on seven maps from 8x8x16 to 8x8x128; a ROM in LUTs is read into flip-flops."""
        (_, w, c), k, x_bits = self.x.shape, self.kernel, self.x.qtype.bits
        coefs, constants = k * self.coef_type.bits, MULTIPLIER.bits + self._bias_bits()
        read = coefs * (folding.coefs != BLOCK) + constants * (folding.requant != BLOCK)
        dsp = k + (1 if self.acc_type.bits <= 25 else 2)
        logic = Resources(lut=7 * k * x_bits - 10, ff=95 + 2.9 * k * x_bits + read, dsp=dsp)
        memories = rom_cost(c * k, coefs, folding.coefs) + rom_cost(c, constants, folding.requant)
        return logic + memories + ram_cost(w * c, self.rows * x_bits, folding.rows)

    def held_pixels(self, folding: Folding) -> float:
        """The row buffer, and the pixel on its way."""
        return self.rows * self.x.shape[1] * self.out_spec.pixels / self.x.pixels + 1

    def parameters(self, folding: DepthwiseConvFolding) -> dict[str, int]:
        h, w, c = self.x.shape
        ho, wo, _ = self.out_spec.shape
        return {
            "H": h, "W": w, "C": c, "HO": ho, "WO": wo, "K": self.kernel, "STRIDE": self.stride, "PAD": self.pad,
            "ROWS": self.rows, "XW": self.x.qtype.bits, "X_SIGNED": int(self.x.qtype.signed),
            "CW": self.coef_type.bits, "ACCW": self.acc_type.bits, "MW": MULTIPLIER.bits, "BW": self._bias_bits(),
            "TOTALW": self.total_type.bits, "SHIFT": self.requant.shift, "YW": self.requant.out.bits,
            "Y_SIGNED": int(self.requant.out.signed), "PAD_ZERO": int(not self.pad_value.any()),
            "ROW_BLOCK": int(folding.rows == BLOCK), "COEF_BLOCK": int(folding.coefs == BLOCK),
            "REQUANT_BLOCK": int(folding.requant == BLOCK),
        }  # fmt: skip

    def memories(self, folding: Folding) -> dict[str, Memory]:
        """coefs: per channel and column the column's k coefficients, the top one lowest.
        requant: per channel {bias with its rounding half, multiplier}, the multiplier lowest. pad: per channel."""
        k, x_bits, cw, bw = self.kernel, self.x.qtype.bits, self.coef_type.bits, self._bias_bits()
        columns = self.coefs.transpose(0, 2, 1).reshape(-1, k)
        coefs = tuple(to_word(tuple((v, cw) for v in column)) for column in columns)
        pairs = zip(self.requant.multiplier, self.requant.rounded_bias())
        constants = tuple(to_word(((m, MULTIPLIER.bits), (b, bw))) for m, b in pairs)
        return {
            "pad": Memory(x_bits, tuple(to_word(((v, x_bits),)) for v in self.pad_value)),
            "coefs": Memory(k * cw, coefs),
            "requant": Memory(MULTIPLIER.bits + bw, constants),
        }
