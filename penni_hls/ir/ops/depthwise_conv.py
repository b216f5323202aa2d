"""depthwise_conv: y[c,p] = sat(rshift(acc*M[c] + bias[c], S), Y), acc[c,p] = sum_t A[c,t] * x[c, p*stride + t - pad].

Hardware: the row buffer and column walker of a basis convolution, one pixel after the other; kh multipliers take a
column of a window per cycle, an accumulator adds up its kw columns, a requantizer follows. Nothing lies between them: no
basis maps, no memory of sums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from ...target.fabric import Fabric
from ...target.memory import BLOCK, MemoryStyle, address_bits, number, or_ultra, ram_style, rom_cost, rom_style
from ...target.resources import Resources
from ..fixed import MULTIPLIER, IntTensor, QType, Requant, exact_dtype, smallest_qtype
from ..graph import TensorSpec
from ..windows import Pair, Sides, Window, short
from .base import Folding, Operator
from .memory import Memory, to_word
from .row_cost import columns_cost
from .row_walk import RowWalk
from .timing import Timing


@dataclass(frozen=True)
class Fitted:
    """LUTs that are not counted. Found by `bench/costs.py --fit`."""

    lut: float = 10.8
    result: float = 1.61  # bit of the result: FIFO and saturation


FITTED = Fitted()


@dataclass(frozen=True)
class DepthwiseConvFolding(Folding):
    """Where its memories lie: the row buffer, the coefficients, the constants of the requantizer."""

    rows: MemoryStyle = BLOCK
    coefs: MemoryStyle = BLOCK
    requant: MemoryStyle = BLOCK


@dataclass(frozen=True, eq=False)
class DepthwiseConv(Operator):
    """x: the map read. coefs: int64 (C, kh, kw). pad_value: int64 (C,), what lies outside."""

    x: TensorSpec
    coefs: np.ndarray
    coef_type: QType
    requant: Requant
    stride: Pair
    pad: Sides
    pad_value: np.ndarray

    kind: ClassVar[str] = "depthwise_conv"

    def __post_init__(self) -> None:
        c, window = self.x.shape[2], self.window
        if len(self.coefs) != c or not len(self.requant.multiplier) == len(self.pad_value) == c:
            raise ValueError(f"depthwise_conv: coefficients {self.coefs.shape} do not go with a {self.x} map")
        if not self.coef_type.holds(self.coefs) or not self.x.qtype.holds(self.pad_value):
            raise ValueError(f"depthwise_conv: a coefficient is not within {self.coef_type}, or a pad value not in x")
        if not window.walkable:
            raise ValueError(f"depthwise_conv: a {window} has a stride or padding too large for the kernel")
        if not window.fits(self.x.shape):
            raise ValueError(f"depthwise_conv: a {window} does not fit a {self.x} map")
        if self.requant.skip_multiplier:
            raise ValueError("depthwise_conv: it adds no skip connection")

    @property
    def kernel(self) -> Pair:
        return short(self.coefs.shape[1:])  # type: ignore[return-value]

    @cached_property
    def window(self) -> Window:
        return Window.of(self.kernel, self.stride, self.pad)

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @cached_property
    def out_spec(self) -> TensorSpec:
        ho, wo = self.window.map_of(self.x.shape)
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
        for tap, coef in zip(self.window.seen(x.values, self.pad_value, dtype), coefs):
            acc += tap * coef
        return IntTensor(self.requant.apply(acc), self.requant.out)

    def foldings(self, fabric: Fabric) -> tuple[Folding, ...]:
        usual = self.folding()
        return tuple(replace(usual, rows=style) for style in or_ultra(usual.rows, self.x.qtype.bits, fabric))

    def folding(self, q: int = 1, p: int = 1) -> DepthwiseConvFolding:
        _, w, c = self.x.shape
        rows = ram_style(w * c, self.rows * self.x.qtype.bits)
        return DepthwiseConvFolding(q, p, rows, rom_style(c * self.window.kernel[1]), rom_style(c))

    @property
    def weight_bits(self) -> int:
        return self.coef_type.bits

    @property
    def weights(self) -> np.ndarray:
        return self.coefs.reshape(len(self.coefs), -1)

    @property
    def rows(self) -> int:
        """Rows the buffer holds: those of a window, and as many more as the next row of windows moves on by."""
        return self.window.kernel[0] + self.window.stride[0]

    def multipliers(self, folding: Folding) -> int:
        return self.window.kernel[0]

    @property
    def products(self) -> int:
        return int(np.count_nonzero(self.coefs)) * self.out_spec.pixels

    def timing(self, folding: Folding) -> Timing:
        return self._walk().timing(self.window.kernel[0] + 8)

    def _walk(self) -> RowWalk:
        channels = self.x.shape[2]
        return RowWalk(self.x.shape, self.out_spec.shape[:2], self.window, self.rows, 1, channels, channels)

    def _bias_bits(self) -> int:
        bias = self.requant.rounded_bias()
        return smallest_qtype(min(-1, int(bias.min())), int(bias.max())).bits

    def cost(self, folding: DepthwiseConvFolding) -> Resources:
        """One DSP per multiplier and one or two for M, with the accumulator and, of constants, M and what is next to be
        added. Multiplier i is i cycles later; a DSP has two registers at each input. What is read of a ROM in LUTs lies in
        flip-flops, or M in the DSP."""
        c, (kh, kw), x_bits, y_bits = self.x.shape[2], self.window.kernel, self.x.qtype.bits, self.requant.out.bits
        bias, coef = self._bias_bits(), self.coef_type.bits
        lut, ff = FITTED.lut + FITTED.result * y_bits, 12 + 2 * kh + kh * x_bits + 2 * y_bits
        ff += address_bits(c * kw) + address_bits(c) + bias * (folding.requant != BLOCK)
        for later in range(kh):
            for bits, cycles in ((x_bits, later - 1), (coef, later - (folding.coefs == BLOCK))):
                lut, ff = lut + bits * (cycles > 2), ff + bits * max(0, cycles) * (cycles < 3)
        logic = Resources(lut=lut, ff=ff, dsp=kh + (1 if self.acc_type.bits <= 25 else 2))
        memories = rom_cost(c * kw, kh * coef, folding.coefs) + rom_cost(c, MULTIPLIER.bits + bias, folding.requant)
        padded = bool(self.pad_value.any())
        return logic + memories + columns_cost(self._walk(), c, x_bits, folding.rows, padded)

    def parameters(self, folding: DepthwiseConvFolding) -> dict[str, int]:
        h, w, c = self.x.shape
        ho, wo, _ = self.out_spec.shape
        return {
            "H": h, "W": w, "C": c, "HO": ho, "WO": wo, **self.window.parameters(),
            "ROWS": self.rows, "XW": self.x.qtype.bits, "X_SIGNED": int(self.x.qtype.signed),
            "CW": self.coef_type.bits, "ACCW": self.acc_type.bits, "MW": MULTIPLIER.bits, "BW": self._bias_bits(),
            "TOTALW": self.total_type.bits, "SHIFT": self.requant.shift, "YW": self.requant.out.bits,
            "Y_SIGNED": int(self.requant.out.signed), "PAD_ZERO": int(not self.pad_value.any()),
            "ROW_STYLE": number(folding.rows), "COEF_BLOCK": int(folding.coefs == BLOCK),
            "REQUANT_BLOCK": int(folding.requant == BLOCK),
        }  # fmt: skip

    def cpp_parameters(self, folding: Folding) -> dict[str, int]:
        return {"STEPS": self._walk().walked(0)}

    def rom_styles(self, folding: DepthwiseConvFolding) -> dict[str, MemoryStyle]:
        return {"coefs": folding.coefs, "requant": folding.requant}

    def memories(self, folding: Folding) -> dict[str, Memory]:
        """coefs: per channel and column the column's kh coefficients, the top one lowest.
        requant: per channel {bias with its rounding half, multiplier}, the multiplier lowest. pad: per channel, where it
        is not all 0."""
        kh, x_bits, cw, bw = self.window.kernel[0], self.x.qtype.bits, self.coef_type.bits, self._bias_bits()
        columns = self.coefs.transpose(0, 2, 1).reshape(-1, kh)
        coefs = tuple(to_word(tuple((v, cw) for v in column)) for column in columns)
        pairs = zip(self.requant.multiplier, self.requant.rounded_bias())
        constants = tuple(to_word(((m, MULTIPLIER.bits), (b, bw))) for m, b in pairs)
        memories = {"coefs": Memory(kh * cw, coefs), "requant": Memory(MULTIPLIER.bits + bw, constants)}
        if self.pad_value.any():
            memories["pad"] = Memory(x_bits, tuple(to_word(((v, x_bits),)) for v in self.pad_value))
        return memories
