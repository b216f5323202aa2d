"""sparse_mac: y[o,p] = sat(rshift(acc*M[o] + skip*K + bias[o], S), Y), acc[o,p] = sum_a A[o,a] * z[a,p], A mostly zero.

Hardware: a ping-pong z memory (one word is q pixels at one address), a program ROM that p lanes walk in lockstep, q*p
multiply-accumulators that are cleared once per group and accumulate over all rows, a ping-pong memory of the running
sums at each row's end, and one requantizer that reads it pixel by pixel in channel order, takes the difference to the
row before in the same lane, and adds the skip connection where there is one.
Reads tiles of a basis convolution, or a map directly: 1x1 convolution, and with `flatten` a linear layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ...target.memory import BLOCK, MemoryStyle, address_bits, ram_cost, ram_style, rom_cost, rom_style
from ...target.resources import Resources
from ..fixed import MULTIPLIER, IntTensor, QType, Requant, exact_dtype, smallest_qtype
from ..graph import TensorSpec
from .base import Folding, Operator
from .memory import Memory, to_word
from .program import Program, pack

GROUP_OVERHEAD = 1  # cycles between two programs: clearing the accumulators
SUM_LATENCY = 5  # cycles from a program's last word to its last sum in memory
SETTLED = 12  # groups after which the three stages are in step


@dataclass(frozen=True)
class SparseMacFolding(Folding):
    """Where its memories lie: z, the running sums at row ends, the program, the constants of the requantizer."""

    z: MemoryStyle = BLOCK
    sums: MemoryStyle = BLOCK
    program: MemoryStyle = BLOCK
    requant: MemoryStyle = BLOCK


@dataclass(frozen=True, eq=False)
class SparseMac(Operator):
    """z: tiles (H, W, C, d) or a map (H, W, C). coefs: int64 (C_out, C*d), address c*d + b. skip: the map that is added."""

    z: TensorSpec
    coefs: np.ndarray
    coef_type: QType
    requant: Requant
    skip: TensorSpec | None = None
    flatten: bool = False

    kind: ClassVar[str] = "sparse_mac"
    input_names: ClassVar[tuple[str, ...]] = ("in", "skip")

    def __post_init__(self) -> None:
        if self.coefs.shape != (len(self.requant.multiplier), self.depth):
            raise ValueError(f"sparse_mac: coefficients {self.coefs.shape} do not go with {self.z}")
        if not self.coef_type.holds(self.coefs):
            raise ValueError(f"sparse_mac: a coefficient is not within {self.coef_type}")
        if self.flatten and self.z.tiled:
            raise ValueError("sparse_mac: only a map can be flattened")
        if self.skip is not None and self.skip.shape != self.out_spec.shape:
            raise ValueError(f"sparse_mac: the skip connection {self.skip} does not match {self.out_spec}")
        if (self.skip is None) != (self.requant.skip_multiplier == 0):
            raise ValueError("sparse_mac: a skip connection needs a multiplier, and nothing else does")

    @property
    def pixels(self) -> int:
        return 1 if self.flatten else self.z.pixels

    @property
    def depth(self) -> int:
        """z values of one pixel: the columns of `coefs`."""
        return math.prod(self.z.shape) // self.pixels

    @property
    def channels(self) -> int:
        return self.coefs.shape[0]

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.z,) if self.skip is None else (self.z, self.skip)

    @cached_property
    def out_spec(self) -> TensorSpec:
        h, w = (1, 1) if self.flatten else self.z.shape[:2]
        return TensorSpec((h, w, self.channels), self.requant.out)

    @cached_property
    def acc_type(self) -> QType:
        """The narrowest type of every row's exact sum, over all z the type allows."""
        ends = np.stack([self.coefs * self.z.qtype.lo, self.coefs * self.z.qtype.hi])
        return smallest_qtype(min(-1, int(ends.min(0).sum(1).min())), int(ends.max(0).sum(1).max()))

    @cached_property
    def total_type(self) -> QType:
        """The type of acc*M + skip*K + bias + rounding."""
        ends = np.stack([self.coefs * self.z.qtype.lo, self.coefs * self.z.qtype.hi])
        lo, hi = (e.sum(1) * self.requant.multiplier + self.requant.rounded_bias() for e in (ends.min(0), ends.max(0)))
        if self.skip is not None:
            lo = lo + self.skip.qtype.lo * self.requant.skip_multiplier
            hi = hi + self.skip.qtype.hi * self.requant.skip_multiplier
        return smallest_qtype(min(-1, int(lo.min())), int(hi.max()))

    def reference(self, z: IntTensor, skip: IntTensor | None = None) -> IntTensor:
        """z (N, H, W, C, d) or (N, H, W, C), skip (N, H, W, C_out) -> y (N, H, W, C_out)."""
        self.check_input(*((z,) if skip is None else (z, skip)))
        n = z.values.shape[0]
        dtype = exact_dtype(int(np.abs(self.coefs).sum(1).max()) * max(-z.qtype.lo, z.qtype.hi))
        d = self.z.shape[3] if self.z.tiled else 1
        by_basis = self.coefs.reshape(self.channels, -1, d)
        acc = np.zeros((n * self.pixels, self.channels), dtype)
        for b in range(d):
            plane = z.values[..., b] if self.z.tiled else z.values
            acc += plane.reshape(n * self.pixels, -1).astype(dtype) @ by_basis[:, :, b].T.astype(dtype)
        added = None if skip is None else skip.values.reshape(acc.shape)
        return IntTensor(self.requant.apply(acc, added).reshape(n, *self.out_spec.shape), self.requant.out)

    def foldings(self) -> tuple[Folding, ...]:
        qs = [q for q in (1, 2, 4, 8, 16, 32) if q < 2 * self.pixels]
        return tuple(self.folding(q, p) for q in qs for p in (1, 2, 3, 4, 6, 8) if p <= self.channels)

    def folding(self, q: int = 1, p: int = 1) -> SparseMacFolding:
        return SparseMacFolding(
            q, p, ram_style(self._z_depth, q * self.z.qtype.bits), ram_style(self._sums_depth(p), q * self.acc_type.bits),
            rom_style(len(self.program(p).words)), rom_style(self.channels),
        )  # fmt: skip

    @property
    def _z_depth(self) -> int:
        """Words of a lane's z memory: both halves."""
        return 2 << address_bits(self.depth)

    def _sums_depth(self, lanes: int) -> int:
        """Words of a lane's memory of running sums: both halves."""
        return 2 << address_bits(self.lane_rows(lanes))

    def multipliers(self, folding: Folding) -> int:
        return folding.q * folding.p

    @property
    def products(self) -> int:
        return int((self.coefs != 0).sum()) * self.pixels

    @cached_property
    def _programs(self) -> dict[int, Program]:
        return {}

    def program(self, lanes: int) -> Program:
        if lanes not in self._programs:
            self._programs[lanes] = pack(self.coefs, lanes)
        return self._programs[lanes]

    def cycles(self, folding: Folding) -> int:
        """Load, walk and drain own the halves of two ping-pong memories in turn: followed until they are in step."""
        groups, q = -(-self.pixels // folding.q), folding.q
        counts = [q] * (min(groups, SETTLED) - 1) + [self.pixels - (groups - 1) * q]
        ends = self._drained(folding, counts * 8)
        two_frames = ends[-1] - ends[-1 - 2 * len(counts)]
        if groups > len(counts):
            ends = self._drained(folding, [q] * 2 * SETTLED)
            two_frames += (groups - len(counts)) * (ends[-1] - ends[-3])
        return -(-two_frames // 2)

    def _drained(self, folding: Folding, counts: list[int]) -> list[int]:
        """The cycle in which each group's last value leaves the sum memory; counts: pixels of each group."""
        program = len(self.program(folding.p).words)
        loaded = computed = drained = 0
        computed_before, drained_before = [0, 0], [0, 0]  # of the last two groups: the next ones take their halves
        ends = []
        for pixels in counts:
            loaded = max(loaded, computed_before[0]) + self.depth * (1 if self.z.tiled else pixels)
            computed = max(loaded, computed, drained_before[0] + 1) + program + GROUP_OVERHEAD
            drained = max(computed + SUM_LATENCY, drained) + pixels * self.channels
            computed_before = [computed_before[1], computed]
            drained_before = [drained_before[1], drained]
            ends.append(drained)
        return ends

    def _entry_bits(self) -> int:
        return self.coef_type.bits + address_bits(self.depth) + 1

    def _bias_bits(self) -> int:
        bias = self.requant.rounded_bias()
        return smallest_qtype(min(-1, int(bias.min())), int(bias.max())).bits

    def _constant_bits(self, lanes: int) -> int:
        """Width of the requant memory: multiplier, bias, lane."""
        return MULTIPLIER.bits + self._bias_bits() + address_bits(lanes)

    def lane_rows(self, lanes: int) -> int:
        """Rows of the longest lane: the depth of one bank of a lane's sum memory."""
        return max(len(rows) for rows in self.program(lanes).rows)

    def cost(self, folding: SparseMacFolding) -> Resources:
        """One DSP per multiply-accumulator, one for M, one for K; the rest was fitted to yosys (docs/benchmarks)."""
        q, p = folding.q, folding.p
        acc, total, rows = self.acc_type.bits, self.total_type.bits, self._sums_depth(p)
        memories = rom_cost(len(self.program(p).words), p * self._entry_bits(), folding.program)
        for _ in range(p):
            memories = memories + ram_cost(self._z_depth, q * self.z.qtype.bits, folding.z)
            memories = memories + ram_cost(rows, q * acc, folding.sums)
        copies = 2 if p > 1 and folding.requant == BLOCK else 1  # lanes are looked up before multipliers are
        for _ in range(copies):
            memories = memories + rom_cost(self.channels, self._constant_bits(p), folding.requant)
        sums = 0 if folding.sums == BLOCK else p * q * acc  # LUT RAM is read into flip-flops
        logic = Resources(
            lut=20 + 1.8 * acc * math.ceil(p * q / 4) + 1.3 * p * acc,
            ff=2.5 * p * address_bits(self.depth) + 0.85 * p * acc + 5.7 * total + 0.9 * sums,
            dsp=q * p + (1 if acc <= 25 else 2) + (self.skip is not None),
        )
        return logic + memories

    def held_pixels(self, folding: Folding) -> float:
        """Groups: two banks of z, two of sums, one on its way between them."""
        return 5 * folding.q

    def parameters(self, folding: SparseMacFolding) -> dict[str, int]:
        program = self.program(folding.p)
        skip = self.skip.qtype if self.skip else QType(1, False)
        return {
            "PIXELS": self.pixels, "DEPTH": self.depth, "CO": self.channels, "Q": folding.q, "P": folding.p,
            "TILED": int(self.z.tiled), "ZW": self.z.qtype.bits, "Z_SIGNED": int(self.z.qtype.signed),
            "CW": self.coef_type.bits, "ADDRW": address_bits(self.depth), "LEN": len(program.words),
            "LANE_ROWS": self.lane_rows(folding.p), "ACCW": self.acc_type.bits, "MW": MULTIPLIER.bits,
            "BW": self._bias_bits(), "TOTALW": self.total_type.bits, "SHIFT": self.requant.shift,
            "YW": self.requant.out.bits, "Y_SIGNED": int(self.requant.out.signed),
            "SKIP": int(self.skip is not None), "SKIPW": skip.bits, "SKIP_SIGNED": int(skip.signed),
            "SKIP_K": self.requant.skip_multiplier,
            "Z_BLOCK": int(folding.z == BLOCK), "SUM_BLOCK": int(folding.sums == BLOCK),
            "PROGRAM_BLOCK": int(folding.program == BLOCK), "REQUANT_BLOCK": int(folding.requant == BLOCK),
        }  # fmt: skip

    def memories(self, folding: Folding) -> dict[str, Memory]:
        """program: per cycle and lane {last, address, coefficient}, lane 0 and the coefficient lowest.
        requant: per output channel {lane, bias with its rounding half, multiplier}, the multiplier lowest."""
        program = self.program(folding.p)
        cw, aw, bw, lw = self.coef_type.bits, address_bits(self.depth), self._bias_bits(), address_bits(folding.p)
        words = tuple(
            to_word(tuple(f for e in lanes for f in ((e.coef, cw), (e.address, aw), (int(e.last), 1))))
            for lanes in program.words
        )
        constants = tuple(
            to_word(((m, MULTIPLIER.bits), (b, bw), (lane, lw)))
            for m, b, lane in zip(self.requant.multiplier, self.requant.rounded_bias(), program.lane_of())
        )
        return {
            "program": Memory(folding.p * self._entry_bits(), words),
            "requant": Memory(self._constant_bits(folding.p), constants),
        }
