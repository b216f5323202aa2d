"""basis_conv: z[c,b,p] = sat(rshift(sum_t B[b,t] * x[c, p*stride + t - pad], s_b), Z), the dense half of a PENNI layer.

Hardware: row buffers hold the rows that a group of q output pixels needs and those of the next; a walker reads one
column of kh values per cycle in tile order (group, channel, column), a window register shifts, a constant adder graph
gives all d sums at once, and q neighbours of one (channel, basis) leave as one beat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from ...target.fabric import Fabric
from ...target.memory import (
    BLOCK,
    LUT,
    MemoryStyle,
    address_bits,
    number,
    or_ultra,
    ram_style,
    rom_cost,
)
from ...target.resources import Resources
from ..fixed import IntTensor, QType, exact_dtype, rshift, sat, signed_bits
from ..graph import TensorSpec
from ..windows import Pair, Sides, Window, short, weighted
from . import adder_graph
from .base import Folding, Operator
from .memory import Memory, to_word
from .row_cost import columns_cost
from .row_walk import RowWalk
from .scaled_basis import ScaledBasis
from .timing import Timing

GROUPS = (1, 2, 4, 6, 8, 12, 16, 24, 32)  # pixels
CHUNK = 1 << 19  # values of windows that `reference` has in work at a time: they stay in the cache
SPARE = 256  # values that may come in while operators wait for each other: more than their registers hold
SHARED = "basis_shared"  # penni_basis_shared: the module with multipliers that take turns


@dataclass(frozen=True)
class Fitted:
    """LUTs and flip-flops that are not counted. Found by `bench/costs.py --fit`."""

    rounded: float = 2.31  # bit of a result
    register: float = 0.905  # bit of the graph's registers: some of them are shared
    shared: float = 1.98  # multipliers that take turns
    saturate: float = 0.229


FITTED = Fitted()


@dataclass(frozen=True)
class BasisConvFolding(Folding):
    """rows: where the row buffer lies. multipliers: 0: an adder graph computes all bases of a window at once; kh: basis
    after basis, a column of a window per cycle; kh * kw: basis after basis, a window per cycle."""

    untimed: ClassVar[tuple[str, ...]] = ("rows",)

    rows: MemoryStyle = BLOCK
    multipliers: int = 0


@dataclass(frozen=True, eq=False)
class BasisConv(Operator):
    """x: the map read. basis: int64 (d, kh, kw). shifts: s_b for each basis. pad_value: int64 (C,), what lies outside.
    used: bool (C, d), the bases of each channel that are computed; None: all."""

    x: TensorSpec
    basis: np.ndarray
    shifts: tuple[int, ...]
    z_type: QType
    stride: Pair
    pad: Sides
    pad_value: np.ndarray
    used: np.ndarray | None = None

    kind: ClassVar[str] = "basis_conv"

    def __post_init__(self) -> None:
        d, kh, kw = self.basis.shape
        if len(self.shifts) != d or self.pad_value.shape != (self.x.shape[2],):
            raise ValueError(
                "basis_conv: basis (d, kh, kw), one shift per basis and one pad value per channel are needed"
            )
        if self.pattern.shape != (self.x.shape[2], d) or self.pattern.dtype != bool or not self.pattern.any():
            raise ValueError("basis_conv: used is bool (C, d), at least one of them true")
        window = self.window
        if not window.walkable:
            raise ValueError(f"basis_conv: stride {self.stride} and pad {self.pad} do not go with a {kh}x{kw} kernel")
        if not self.x.qtype.holds(self.pad_value):
            raise ValueError(f"basis_conv: a pad value is not within {self.x.qtype}")
        if not window.fits(self.x.shape):
            raise ValueError(f"basis_conv: a {kh}x{kw} kernel does not fit a {self.x} map with pad {self.pad}")

    @property
    def kernel(self) -> Pair:
        return short(self.basis.shape[1:])  # type: ignore[return-value]

    @cached_property
    def window(self) -> Window:
        return Window.of(self.kernel, self.stride, self.pad)

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @cached_property
    def pattern(self) -> np.ndarray:
        """bool (C, d): the bases of each channel that are computed, in this order."""
        return np.ones((self.x.shape[2], len(self.shifts)), bool) if self.used is None else self.used

    @cached_property
    def channels(self) -> np.ndarray:
        """The channels of which a basis is computed. The others are not buffered."""
        return np.flatnonzero(self.pattern.any(axis=1))

    @cached_property
    def bases(self) -> np.ndarray:
        """The bases that are computed of some channel. The others are not in hardware."""
        return np.flatnonzero(self.pattern.any(axis=0))

    @cached_property
    def masks(self) -> np.ndarray:
        """bool (channels, bases): `pattern` without channels and bases that are not in hardware."""
        return self.pattern[np.ix_(self.channels, self.bases)]

    @cached_property
    def out_spec(self) -> TensorSpec:
        ho, wo = self.window.map_of(self.x.shape)
        words = self.pattern.shape if self.used is None else (self.words, 1)
        return TensorSpec((ho, wo, *words), self.z_type)

    @cached_property
    def words(self) -> int:
        """Of each group of pixels."""
        return int(self.pattern.sum())

    @cached_property
    def graph(self) -> adder_graph.RoundedSums:
        """All bases in hardware as one adder graph."""
        kernels = self.basis[self.bases]
        graph = adder_graph.solve(kernels.reshape(len(kernels), -1), self.x.qtype)
        return adder_graph.RoundedSums(graph, tuple(self.shifts[b] for b in self.bases), self.z_type)

    @cached_property
    def scaled(self) -> ScaledBasis:
        """The bases in hardware as multipliers read them."""
        return ScaledBasis.of(self.basis[self.bases], tuple(self.shifts[b] for b in self.bases), self.x.qtype)

    def sums(self, folding: BasisConvFolding) -> adder_graph.RoundedSums | None:  # type: ignore[override]
        return None if folding.multipliers else self.graph

    def module(self, folding: BasisConvFolding) -> str:  # type: ignore[override]
        return SHARED if folding.multipliers else self.kind

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> z (N, Ho, Wo, C, d), or with `used` (N, Ho, Wo, words, 1), in the order channel, basis."""
        self.check_input(x)
        ho, wo = self.out_spec.shape[:2]
        bound = np.abs(self.basis).sum((1, 2)).max() * max(-x.qtype.lo, x.qtype.hi) + (1 << max(self.shifts))
        dtype, kept, d = exact_dtype(int(bound)), self.channels, len(self.bases)
        kernels, pads = self.basis[self.bases].reshape(d, -1).astype(dtype), self.pad_value[kept]
        read = None if self.masks.all() else np.flatnonzero(self.masks)
        z = np.empty((len(x.values), *self.out_spec.shape), self.z_type.dtype)
        step = max(1, CHUNK // (ho * wo * len(kept) * self.window.taps))
        for part in (slice(start, start + step) for start in range(0, len(z), step)):
            seen = list(self.window.seen(x.values[part][..., kept], pads, dtype))
            words = np.empty((*seen[0].shape, d), z.dtype)
            for index, (kernel, b) in enumerate(zip(kernels, self.bases)):
                words[..., index] = sat(rshift(weighted(seen, kernel), self.shifts[b]), self.z_type)
            words = words.reshape(-1, len(kept) * d)
            z[part] = (words if read is None else words.take(read, axis=1)).reshape(z[part].shape)
        return IntTensor(z, self.z_type)

    @property
    def weight_bits(self) -> int | None:
        """None where its kernels only pass taps on, as those of a dense convolution do."""
        units = np.count_nonzero(self.basis, axis=(1, 2)) == 1
        return None if units.all() and self.basis.max() == 1 else signed_bits(self.basis)

    @property
    def weights(self) -> np.ndarray | None:
        return None if self.weight_bits is None else self.basis.reshape(len(self.basis), -1)

    def foldings(self, fabric: Fabric) -> tuple[Folding, ...]:
        pixels = self.out_spec.pixels
        return tuple(
            replace(self.folding(q), multipliers=multipliers, rows=style)
            for q in GROUPS
            if q < 2 * pixels
            for style in or_ultra(self.folding(q).rows, self.x.qtype.bits, fabric)
            for multipliers in (0, *self._multipliers())
        )

    def folding(self, q: int = 1, p: int = 1) -> BasisConvFolding:
        return BasisConvFolding(q, p, ram_style(self._buffered, self.rows(q) * self.x.qtype.bits))

    def _multipliers(self) -> tuple[int, ...]:
        """How many may take turns: not with kernels of one column, of which a word may take a single cycle."""
        kh, kw = self.window.kernel
        return (kh, kh * kw) if kw > 1 and self.scaled.fits else ()

    @property
    def _buffered(self) -> int:
        """Values of one row in the row buffer."""
        return self.x.shape[1] * len(self.channels)

    def rows(self, q: int) -> int:
        """Rows the buffer holds: those of one group, and room for those that the next group moves on by. The first row gives
        its columns back one by one: where four groups are much less than a row, that is room enough for a row."""
        (rows, width, *_), (_, w, c) = self.out_spec.shape, self.x.shape
        walk = RowWalk(self.x.shape, (rows, width), self.window, 0, q, units=1, words=1)
        down, right = self.window.stride
        spare = (w - 4 * q * right - self.window.kernel[1] + 1) * c >= SPARE
        return self.window.kernel[0] + down * (walk.span - 1 + min(rows, -(-q // width))) - spare

    def _walk(self, folding: BasisConvFolding) -> RowWalk:
        out, words, kh = self.out_spec.shape[:2], self.words, self.window.kernel[0]
        units, slots = (words, 1) if folding.multipliers else (len(self.channels), len(self.bases))
        again = folding.multipliers == kh
        return RowWalk(self.x.shape, out, self.window, self.rows(folding.q), folding.q, units, words, slots, again)

    def _latency(self, folding: BasisConvFolding) -> int:
        kh = self.window.kernel[0]
        return folding.multipliers // kh * (kh - 1) + 7 if folding.multipliers else self.graph.latency + 5

    def timing(self, folding: BasisConvFolding) -> Timing:  # type: ignore[override]
        tail = 0 if folding.multipliers else len(self.bases) - 1  # the last channel's words leave one by one
        return self._walk(folding).timing(self._latency(folding), tail)

    def cost(self, folding: BasisConvFolding) -> Resources:  # type: ignore[override]
        """What is common to all, the row buffer among it, and what computes."""
        d, kept, masked = len(self.bases), len(self.channels), not self.masks.all()
        walk, padded = self._walk(folding), bool(self.pad_value.any())
        shared = folding.multipliers > 0
        common = columns_cost(walk, kept, self.x.qtype.bits, folding.rows, padded, d if shared else 0)
        masks = rom_cost(kept, d, LUT) + Resources(ff=d) if masked else Resources()
        return common + masks + (self._shared_cost(folding) if shared else self._graph_cost(folding))

    def _graph_cost(self, folding: BasisConvFolding) -> Resources:
        """q*d values are gathered in registers; LUTs choose one of d words, or the one that waits. Basis b comes b cycles
        after the first: from three cycles on in shift registers."""
        x_bits, z_bits, d, (kh, kw) = self.x.qtype.bits, self.z_type.bits, len(self.bases), self.window.kernel
        word, graph, latency = folding.q * z_bits, self.graph.graph, self.graph.latency
        lut = graph.adder_bits + FITTED.rounded * z_bits * d
        lut += z_bits * max(0, d - 3) + word * math.ceil((d + 1) / 3)
        ff = FITTED.register * (graph.register_bits - self.graph.dropped_bits)
        ff += z_bits * (d + sum(range(min(d, 3)))) + (d + 2) * word + kh * kw * x_bits + 2 * (latency + d) + 7
        return Resources(lut=lut, ff=ff)

    def _shared_cost(self, folding: BasisConvFolding) -> Resources:
        """Kernels are constants in LUTs, a word is gathered in the output register."""
        (kh, kw), d, m, x_bits = self.window.kernel, len(self.bases), folding.multipliers, self.x.qtype.bits
        columns, acc = m == kh, self.scaled.acc_type.bits
        words = d << address_bits(kw) if columns else d
        coefs = rom_cost(words, m // kh * self.scaled.type.bits, LUT).times(kh)
        steps, address = m // kh, address_bits(words)
        lut = FITTED.shared + 2 * acc * columns + FITTED.saturate * self.z_type.bits
        ff = folding.q * self.z_type.bits + kh * x_bits + acc + 3 * ((kh - 1) * steps + 4) + 4
        if columns:
            ff += address * kh + x_bits * (kh - 2)
        else:
            lut += (x_bits + address) * (kh - 1)
        return coefs + Resources(lut=lut, ff=ff, dsp=m)

    def parameters(self, folding: BasisConvFolding) -> dict[str, int]:  # type: ignore[override]
        h, w, c = self.x.shape
        ho, wo = self.out_spec.shape[:2]
        common = {
            "H": h, "W": w, "C": c, "KEPT": len(self.channels), "HO": ho, "WO": wo, **self.window.parameters(),
            "D": len(self.bases), "MASKED": int(not self.masks.all()), "Q": folding.q, "ROWS": self.rows(folding.q),
            "XW": self.x.qtype.bits, "X_SIGNED": int(self.x.qtype.signed), "ZW": self.z_type.bits,
            "PAD_ZERO": int(not self.pad_value.any()), "ROW_STYLE": number(folding.rows),
        }  # fmt: skip
        if not folding.multipliers:
            return common | {"LATENCY": self.graph.latency}
        return common | {
            "UNITS": self.words, "PER_ROW": folding.multipliers // self.window.kernel[0], "CW": self.scaled.type.bits,
            "ACCW": self.scaled.acc_type.bits, "SHIFT": self.scaled.shift, "Z_SIGNED": int(self.z_type.signed),
        }  # fmt: skip

    def cpp_parameters(self, folding: BasisConvFolding) -> dict[str, int]:  # type: ignore[override]
        return {"STEPS": self._walk(folding).walked(0 if folding.multipliers else len(self.bases))}

    def memories(self, folding: BasisConvFolding) -> dict[str, Memory]:  # type: ignore[override]
        """kept: for each channel of x, whether it is buffered. pad: what lies outside, for each channel that is, where that
        is not all 0. used: for each of these the bases that are computed, the first in the lowest bit. coefs: what the
        multipliers read."""
        x_bits, kept = self.x.qtype.bits, np.isin(np.arange(self.x.shape[2]), self.channels)
        used = tuple(to_word(tuple((int(bit), 1) for bit in mask)) for mask in self.masks)
        memories = {
            "kept": Memory(1, tuple(map(int, kept))),
            "used": Memory(len(self.bases), used),
        }
        if self.pad_value.any():
            memories["pad"] = Memory(x_bits, tuple(to_word(((int(v), x_bits),)) for v in self.pad_value[self.channels]))
        if folding.multipliers:
            memories["coefs"] = self.scaled.memory(folding.multipliers // self.window.kernel[0])
        return memories
