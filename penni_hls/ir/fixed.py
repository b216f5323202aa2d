"""Fixed-point numbers: rounding and saturation of integers, the one definition that every executor follows.

The contract (docs/contract.md):

    rshift(v, s) = v                      if s == 0
                 = (v + 2^(s-1)) >> s     arithmetic shift, round half up
    sat(v, T)    = min(max(v, T.lo), T.hi)
    y            = sat(rshift(acc*M + skip*K + bias, S), Y)

Integers may be held in a float array where their magnitude is proven to be exact (below 2^24 in float32, 2^53 in
float64); `rshift` and `sat` take either and stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

EXACT_FLOAT32 = 1 << 24
EXACT_FLOAT64 = 1 << 53


@dataclass(frozen=True)
class QType:
    """An integer type of `bits` bits, two's complement when `signed`.

    ReLU is the unsigned type: its `lo` is 0.
    """

    bits: int
    signed: bool

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 64:
            raise ValueError(f"QType: {self.bits} bits; 1 to 64 are possible")

    @property
    def lo(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        return (1 << (self.bits - self.signed)) - 1

    @property
    def dtype(self) -> np.dtype:
        """The smallest numpy integer dtype that holds the type."""
        for size in (8, 16, 32, 64):
            if self.bits <= size:
                return np.dtype(f"{'int' if self.signed else 'uint'}{size}")
        raise AssertionError(self)

    def holds(self, values: np.ndarray) -> bool:
        """True when every element of `values` lies in [lo, hi]."""
        return values.size == 0 or (int(values.min()) >= self.lo and int(values.max()) <= self.hi)

    def __str__(self) -> str:
        return f"{'int' if self.signed else 'uint'}{self.bits}"


def smallest_qtype(lo: int, hi: int) -> QType:
    """The narrowest QType that holds both `lo` and `hi`; unsigned when `lo` >= 0."""
    if lo > hi:
        raise ValueError(f"empty range [{lo}, {hi}]")
    if lo >= 0:
        return QType(max(1, int(hi).bit_length()), signed=False)
    return QType(max(max(int(hi), 0).bit_length(), int(-lo - 1).bit_length()) + 1, signed=True)


def signed_bits(values: np.ndarray) -> int:
    """Bits of the narrowest signed type that holds all of `values`, integers; at least 2."""
    return max(2, smallest_qtype(min(-1, int(values.min())), max(0, int(values.max()))).bits)


def exact_dtype(bound: int) -> np.dtype:
    """The cheapest dtype in which integers of magnitude up to `bound` add and multiply exactly (BLAS floats first)."""
    if bound < EXACT_FLOAT32:
        return np.dtype(np.float32)
    if bound < EXACT_FLOAT64:
        return np.dtype(np.float64)
    return np.dtype(np.int64)


def rshift(v: np.ndarray, s: int) -> np.ndarray:
    """Shift right by `s` bits, rounding half up. Integers in an integer dtype, or exact integers in a float dtype."""
    if s < 0:
        raise ValueError(f"rshift by {s}")
    v = np.asarray(v)
    if s == 0:
        return v
    if v.dtype.kind == "f":
        out = v + v.dtype.type(2.0 ** (s - 1))
        out *= v.dtype.type(2.0**-s)
        return np.floor(out, out=out)
    return (v + v.dtype.type(1 << (s - 1))) >> v.dtype.type(s)


def sat(v: np.ndarray, qtype: QType) -> np.ndarray:
    """Saturate to `qtype` and return in its dtype."""
    return np.clip(v, qtype.lo, qtype.hi).astype(qtype.dtype)


@dataclass(frozen=True, eq=False)
class IntTensor:
    """Integers with their type. `values` has the dtype of `qtype` and lies in its range; shape (N, *spec.shape)."""

    values: np.ndarray
    qtype: QType

    def __post_init__(self) -> None:
        if self.values.dtype != self.qtype.dtype:
            raise ValueError(f"IntTensor of {self.qtype}: values have dtype {self.values.dtype}")
        if not self.qtype.holds(self.values):
            raise ValueError(f"IntTensor of {self.qtype}: values from {self.values.min()} to {self.values.max()}")


MULTIPLIER = QType(16, signed=False)
SIGNED_MULTIPLIER = QType(17, signed=True)
BIAS = QType(32, signed=True)


@dataclass(frozen=True, eq=False)
class Requant:
    """y = sat(rshift(acc*multiplier + skip*skip_multiplier + bias, shift), out).

    multiplier: int64 (C_out,), each in 0 .. 2^16-1; bias: int64 (C_out,), each in int32; shift >= 1; skip_multiplier is 0
    where no skip is added. All products and sums are proven to fit 62 bits by `check`.
    """

    multipliers: ClassVar[QType] = MULTIPLIER

    multiplier: np.ndarray
    bias: np.ndarray
    shift: int
    out: QType
    skip_multiplier: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.shift <= 47:
            raise ValueError(f"Requant: shift {self.shift}; 1 to 47 are possible")
        for name, qtype in (("multiplier", self.multipliers), ("bias", BIAS)):
            values = getattr(self, name)
            if values.dtype != np.int64 or values.ndim != 1 or not qtype.holds(values):
                raise ValueError(f"Requant: {name} must be int64 (C_out,) within {qtype}")
        if not 0 <= self.skip_multiplier <= MULTIPLIER.hi:
            raise ValueError(f"Requant: skip multiplier {self.skip_multiplier} is not within {MULTIPLIER}")

    def rounded_bias(self) -> np.ndarray:
        """bias + 2^(shift-1), int64 (C_out,): what hardware adds before its plain arithmetic shift."""
        return self.bias + (1 << (self.shift - 1))

    def apply(self, acc: np.ndarray, skip: np.ndarray | None = None) -> np.ndarray:
        """acc (..., C_out) exact integers in any dtype, skip likewise or None -> (..., C_out) in `out.dtype`."""
        total = acc.astype(np.int64)
        total *= self.multiplier
        total += self.rounded_bias()
        if skip is not None:
            total += skip.astype(np.int64) * self.skip_multiplier
        total >>= self.shift  # with half a step in the bias that is `rshift`
        return sat(total, self.out)


@dataclass(frozen=True, eq=False)
class SignedRequant(Requant):
    """The same with multipliers of either sign: each in -2^16 .. 2^16-1."""

    multipliers: ClassVar[QType] = SIGNED_MULTIPLIER
