"""sparse_mac: y[o,p] = sat(rshift(acc*M[o] + skip*K + bias[o], S), Y), acc[o,p] = sum_a A[o,a] * z[a,p], A mostly zero.

Hardware: a z memory (one word is q pixels at one address), a program ROM that p lanes walk in lockstep, q*p
multiply-accumulators that are cleared once per group and accumulate over all rows, a memory of the running sums at each
row's end, and one requantizer that reads it pixel by pixel in channel order, takes the difference to the row before in
the same lane, and adds the skip connection where there is one. Each memory is a ping-pong buffer or a single one.
Reads tiles of a basis convolution, or a map directly: 1x1 convolution, and with `flatten` a linear layer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from ...target.fabric import Fabric
from ...target.memory import BLOCK, BYTES, LUT, ULTRA, MemoryStyle, address_bits, number, rom_style, weight
from ...target.resources import Resources
from ..fixed import IntTensor, QType, Requant, exact_dtype, smallest_qtype
from ..graph import TensorSpec
from .base import Folding, Operator
from .cpp_loops import DRAIN_DEPTH, HANDED, LOAD_DEPTH, WALK_DEPTH, called, loop
from .mac_cost import MacCost
from .mac_folding import DSP, LUT_COEF_BITS, LUTS, PAIR, Pairing, SparseMacFolding, undominated
from .memory import Memory, to_words
from .process import Blocks, Part
from .program import BIT, Coding, Lanes, Programs
from .timing import STEPS, Stage, Step, Timing

CHUNK = 1 << 19  # values that `reference` has in work at a time: they stay in the cache
GROUP_OVERHEAD = 1  # cycles between two programs: clearing the accumulators
QS = (1, 2, 4, 6, 8, 12, 16, 24, 32)
PS = (1, 2, 3, 4, 6, 8, 12)
SLOWER = 1.02  # that a requantizer with fewer multipliers may make of the cycles
TRADES = (100, 900)  # LUTs for a RAMB36: where a memory costs more or less, it lies where that is cheaper
LEAST_WORTH = 150  # LUTs that an UltraRAM must save
BLOCKS, BLOCK_LOSS = (1, 2, 4, 8, 16), 1.02  # groups in a block of the C++: as few as take no more of the RTL's cycles


@dataclass(frozen=True)
class _Turn:
    """What is loaded, walked and drained at once: so many pixels. load, drain: cycles for so many beats."""

    pixels: int
    load: Callable[[int], int]
    walk: int
    drain: Callable[[int], int]


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
    def weight_bits(self) -> int:
        return self.coef_type.bits

    @property
    def weights(self) -> np.ndarray:
        return self.coefs

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
        dtype = exact_dtype(int(np.abs(self.coefs).sum(1).max()) * max(-z.qtype.lo, z.qtype.hi))
        rows, weights = z.values.reshape(-1, self.depth), self.coefs.T.astype(dtype)
        added = None if skip is None else skip.values.reshape(-1, self.channels)
        y = np.empty((len(rows), self.channels), self.requant.out.dtype)
        step = max(1, CHUNK // max(self.depth, self.channels))
        for part in (slice(start, start + step) for start in range(0, len(rows), step)):
            acc = rows[part].astype(dtype) @ weights
            y[part] = self.requant.apply(acc, None if added is None else added[part])
        return IntTensor(y.reshape(-1, *self.out_spec.shape), self.requant.out)

    # ---- choices ---------------------------------------------------------------------------------------------------

    def foldings(self, fabric: Fabric) -> tuple[Folding, ...]:
        """Those of each q of which none is dominated by another, each with every requantizer that hardly costs cycles.

        Two buffers for z count as better than one: where z comes in bursts, loading takes longer than its cycles here."""
        result: list[Folding] = []
        for q in (q for q in QS if q < 2 * self.pixels):
            options = list(self._options(q, fabric))
            costs = [(self.cycles(option), self.cost(option)) for option in options]
            figures = np.array([
                (cycles, 2 - option.z_buffers, cost.lut, cost.dsp, cost.bram36, cost.uram)
                for option, (cycles, cost) in zip(options, costs)
            ])  # fmt: skip
            for option in (options[index] for index in undominated(figures)):
                result += self._requantizers(option)
        return tuple(result)

    def _requantizers(self, folding: SparseMacFolding) -> Iterator[SparseMacFolding]:
        """The folding with requantizers of as many multipliers, or fewer where it is not slower for that, and their
        constants in block RAM or LUTs."""
        turns = self.skip is not None and self.acc_type.bits <= 25  # one DSP can take both products
        limit = self.cycles(folding) * SLOWER
        for pace in (1, *((2,) if turns else ()), self._costs.serial_cycles):
            if pace > 1 and self.pixels * self.channels * pace > limit:
                continue
            paced = folding if pace == 1 else replace(folding, requant_cycles=pace)
            if pace == 1 or self.cycles(paced) <= limit:
                yield from (replace(paced, requant=style) for style in self._worth(paced, self._costs.constants))

    def _options(self, q: int, fabric: Fabric) -> Iterator[SparseMacFolding]:
        """All foldings of this q that may be worth a choice."""
        bits = fabric.preadder_bits
        multipliers = [LUTS] if self.coef_bits <= LUT_COEF_BITS else []
        multipliers.append(DSP if q % 2 or not self._pairs(bits) else PAIR)
        for p in (p for p in PS if p <= self.channels):
            for coding in self.codings(p):
                for z, sums, multiplier in itertools.product((1, 2), (1, 2), multipliers):
                    yield from self._places(SparseMacFolding(
                        q, p, requant=rom_style(self.channels), step_bits=coding.step_bits, row_ends=coding.row_ends,
                        z_buffers=z, sum_buffers=sums, multiplier=multiplier,
                        program=rom_style(self.lanes(p, coding).words), preadder_bits=bits,
                    ), fabric.uram)  # fmt: skip

    def _places(self, folding: SparseMacFolding, uram: bool = False) -> Iterator[SparseMacFolding]:
        """The folding with its z and its sums wherever that may be worth a choice. uram: whether there is UltraRAM."""
        lanes = self.lanes(folding.p, folding.coding)
        ultra = [ULTRA] if uram and self._in_ultra(folding) else []
        for z in (*self._worth(folding, self._costs.z), *ultra):
            for sums in self._worth(folding, partial(self._costs.sums, lanes=lanes)):
                yield replace(folding, z=z, sums=sums)

    def _worth(self, folding: SparseMacFolding, cost: Callable[..., Resources]) -> list[MemoryStyle]:
        """Where a memory may lie that costs so much."""
        block, lut = cost(folding, style=BLOCK), cost(folding, style=LUT)
        low, high = (block.bram36 * trade < lut.lut for trade in TRADES)
        return [style for style, chosen in ((LUT, not high), (BLOCK, low)) if chosen]

    def _in_ultra(self, folding: SparseMacFolding) -> bool:
        """Whether z may lie in UltraRAM: it can be written there, and would take enough LUTs elsewhere."""
        if not self.z.tiled and self.z.qtype.bits not in BYTES:
            return False
        ultra, lut = self._costs.z(folding, ULTRA), self._costs.z(folding, LUT)
        return lut.lut >= LEAST_WORTH * ultra.uram

    def folding(self, q: int = 1, p: int = 1) -> SparseMacFolding:
        coding = self.codings(p)[0]
        plain = SparseMacFolding(
            q, p, program=rom_style(self.lanes(p, coding).words), requant=rom_style(self.channels),
            step_bits=coding.step_bits, row_ends=coding.row_ends,
        )  # fmt: skip
        return min(self._places(plain), key=lambda folding: weight(self.cost(folding)))

    def multipliers(self, folding: Folding) -> int:
        return folding.q * folding.p

    @property
    def products(self) -> int:
        return int((self.coefs != 0).sum()) * self.pixels

    def _pairs(self, preadder_bits: int) -> bool:
        """Whether pairs are worth a choice: what they take in LUTs grows with the square of their extra bits."""
        pairing = Pairing.of(self.z.qtype, self.acc_type.bits, preadder_bits)
        return pairing.extra <= 6 and pairing.shift + self.acc_type.bits <= 48

    # ---- program ---------------------------------------------------------------------------------------------------

    @cached_property
    def _programs(self) -> Programs:
        return Programs(self.coefs)

    def lanes(self, p: int, coding: Coding) -> Lanes:
        """Which lane computes which output channel, and the length of the program."""
        return self._programs.lanes(p, coding)

    @cached_property
    def coef_bits(self) -> int:
        """Width of a coefficient in the program."""
        return smallest_qtype(min(-1, int(self.coefs.min())), int(self.coefs.max())).bits

    def codings(self, p: int) -> tuple[Coding, ...]:
        """The codings worth a choice, the one that is chosen by default first."""
        return self._programs.choice(p, self._program_weight)

    def _program_weight(self, lanes: Lanes, coding: Coding) -> float:
        memory = self._costs.program(coding, lanes, rom_style(lanes.words))
        return weight(memory) + len(lanes.rows) * self._costs.steps(coding)

    # ---- time ------------------------------------------------------------------------------------------------------

    def cycles(self, folding: SparseMacFolding) -> int:
        """As `timing` has it, stages that work by turns included."""
        q = folding.q
        groups = -(-self.pixels // q)
        load = self.depth * (groups if self.z.tiled else self.pixels)
        walk = groups * (self.lanes(folding.p, folding.coding).words + GROUP_OVERHEAD)
        drain = self.pixels * self.channels * folding.requant_cycles
        if folding.z_buffers == 1:
            load += walk + groups * folding.z_release
        if folding.sum_buffers == 1:
            drain += walk + groups * (folding.sum_latency + 1)
        # Two buffers are both in use while one waits for the last sum or the last z.
        ahead = walk + groups * folding.z_release + self.depth * (groups if self.z.tiled else self.pixels)
        behind = walk + groups * (folding.sum_latency + 1) + self.pixels * self.channels * folding.requant_cycles
        return max(load, walk, drain, -(-ahead // 2), -(-behind // 2))

    def timing(self, folding: SparseMacFolding) -> Timing:
        program = self.lanes(folding.p, folding.coding).words + GROUP_OVERHEAD
        drain = folding.requant_cycles
        turn = _Turn(folding.q, lambda beats: beats, program, lambda values: drain * values)
        return self._by_turns(folding, turn, folding.z_release, folding.sum_latency)

    def in_turn(self, folding: SparseMacFolding) -> Timing:
        return called(self._in_blocks(folding, self.block(folding)), DRAIN_DEPTH)

    def block(self, folding: SparseMacFolding) -> int:
        """Groups that the processes of the C++ hand over at once. Their loops run empty behind each block, which costs
        little where programs are long."""
        groups, least = -(-self.pixels // folding.q), self.cycles(folding)
        sizes = [size for size in BLOCKS if size == 1 or size <= groups]
        cycles = {size: self._in_blocks(folding, size).cycles() for size in sizes}
        fast = (size for size in sizes if cycles[size] <= BLOCK_LOSS * least)
        return next(fast, min(sizes, key=cycles.__getitem__))

    def _in_blocks(self, folding: SparseMacFolding, size: int) -> Timing:
        """The three processes of the C++, with `size` groups in a block; its last one takes as long as the others."""
        q, ii = folding.q, folding.requant_cycles
        load = loop(size * self.depth * (1 if self.z.tiled else q), LOAD_DEPTH)
        walk = loop(size * (self.lanes(folding.p, folding.coding).words + (folding.row_ends != BIT)), WALK_DEPTH)
        drain = loop(size * q * self.channels, DRAIN_DEPTH + ii, ii)
        return self._by_turns(folding, _Turn(size * q, lambda _: load, walk, lambda _: drain), HANDED, HANDED)

    def _by_turns(self, folding: SparseMacFolding, turn: _Turn, released: int, summed: int) -> Timing:
        """Load, walk and drain own the buffers of two memories by turns. Of many turns, some are one step. released,
        summed: cycles from the end of a program until z can be overwritten, and until the sums are there."""
        turns = -(-self.pixels // turn.pixels)
        last = self.pixels - (turns - 1) * turn.pixels
        many = -(-turns // STEPS)
        parts = [(turns // many, many, turn.pixels)] if turns % many == 0 and last == turn.pixels else []
        if not parts:
            whole, rest = divmod(turns - 1, many)
            parts = [(whole, many, turn.pixels), (rest, 1, turn.pixels), (1, 1, last)]
        load, walk, drain = [], [], []
        for times, count, pixels in parts:
            beats = self.depth * (-(-pixels // folding.q) if self.z.tiled else pixels)
            values = pixels * self.channels
            loaded, load_cycles = count * beats, count * turn.load(beats)
            drained, drain_cycles = count * values, count * turn.drain(values)
            taken = (("skip", drained),) if self.skip is not None else ()
            z, z_room, sums, sums_room = (((name, count),) for name in ("z", "z_room", "sums", "sums_room"))
            given = (("out", drained),)
            if many == 1:
                load.append((times, Step(load_cycles, (("in", loaded),), needs=z_room, posts=(("z", 1, 0),))))
                ended = (("z_room", 1, released), ("sums", 1, summed))
                walk.append((times, Step(turn.walk, needs=z + sums_room, posts=ended)))
                drain.append((times, Step(drain_cycles, taken, given, needs=sums, posts=(("sums_room", 1, 1),))))
            else:  # beats of stages that work by turns come as if evenly; busy: a buffer, in one turn
                busy_z = load_cycles / count + turn.walk + released
                busy_sums = drain_cycles / count + turn.walk + summed + 1
                loaded_in = load_cycles if folding.z_buffers == 2 else math.ceil(count * busy_z)
                drained_in = drain_cycles if folding.sum_buffers == 2 else math.ceil(count * busy_sums)
                load.append((times, Step(loaded_in, (("in", loaded), *z_room), z)))
                halves = (busy_z / 2 * (folding.z_buffers == 2), busy_sums / 2 * (folding.sum_buffers == 2))
                walk.append((times, Step(math.ceil(count * max(turn.walk, *halves)), z + sums_room, z_room + sums)))
                drain.append((times, Step(drained_in, taken + sums, given + sums_room)))
        stages = (Stage("load", tuple(load)), Stage("walk", tuple(walk)), Stage("drain", tuple(drain)))
        tokens = {"z": 0, "z_room": folding.z_buffers, "sums": 0, "sums_room": folding.sum_buffers}
        if many > 1:  # a step holds tokens of several turns on their way
            tokens |= {"z_room": 2, "sums_room": 2}
        return Timing(stages, tokens, self._latency(folding))

    def _latency(self, folding: SparseMacFolding) -> int:
        """Registers from the sum memories to the output."""
        summed = 7 + (folding.multiplier == PAIR)
        if folding.requant_cycles >= self._costs.serial_cycles:
            return summed + self._costs.serial_cycles
        if folding.requant_cycles > 1 and self.skip is not None:
            return summed + 2
        return summed + (self.acc_type.bits > 25) * ((self.acc_type.bits - 23) // 2)

    # ---- cost and parameters ---------------------------------------------------------------------------------------

    @cached_property
    def _bias_bits(self) -> int:
        bias = self.requant.rounded_bias()
        return smallest_qtype(min(-1, int(bias.min())), int(bias.max())).bits

    @cached_property
    def _costs(self) -> MacCost:
        return MacCost(
            self.pixels, self.depth, self.channels, self.z.tiled, 0 if self.skip is None else self.skip.qtype.bits,
            self.z.qtype, self.coef_bits, self.acc_type.bits, self.total_type.bits,
            int(self.requant.multiplier.max()).bit_length(), self.requant.skip_multiplier.bit_length(),
            self._bias_bits, self.requant.out.bits,
        )  # fmt: skip

    def cost(self, folding: SparseMacFolding) -> Resources:
        return self._costs.total(folding, self.lanes(folding.p, folding.coding))

    def loop_intervals(self, folding: SparseMacFolding) -> dict[str, int]:
        return {"sparse_mac_drain": folding.requant_cycles}

    def parameters(self, folding: SparseMacFolding) -> dict[str, int]:
        lanes = self.lanes(folding.p, folding.coding)
        skip = self.skip.qtype if self.skip else QType(1, False)
        pairing = self._costs.pairing(folding)
        return {
            "PIXELS": self.pixels, "DEPTH": self.depth, "CO": self.channels, "Q": folding.q, "P": folding.p,
            "TILED": int(self.z.tiled), "ZW": self.z.qtype.bits, "Z_SIGNED": int(self.z.qtype.signed),
            "CW": self.coef_bits, "ADDRW": address_bits(self.depth), "STEPW": folding.step_bits,
            "ROW_BIT": int(folding.row_ends == BIT), "LEN": lanes.words, "LANE_ROWS": lanes.longest,
            "PREADDER": folding.preadder_bits, "PAIR_SHIFT": pairing.shift, "PAIR_EXTRA": pairing.extra,
            "LUT_MULTIPLY": int(folding.multiplier == LUTS), "ACCW": self.acc_type.bits,
            "MW": self._costs.multiplier_bits(folding), "BW": self._bias_bits,
            "TOTALW": self.total_type.bits, "SHIFT": self.requant.shift, "YW": self.requant.out.bits,
            "Y_SIGNED": int(self.requant.out.signed),
            "SKIP": int(self.skip is not None), "SKIPW": skip.bits, "SKIP_SIGNED": int(skip.signed),
            "SKIP_K": self.requant.skip_multiplier, "Z_HALVES": int(folding.z_buffers == 2),
            "SUM_HALVES": int(folding.sum_buffers == 2), "Z_STYLE": number(folding.z),
            "SUM_BLOCK": int(folding.sums == BLOCK), "PROGRAM_BLOCK": int(folding.program == BLOCK),
            "REQUANT_BLOCK": int(folding.requant == BLOCK), "REQUANT_CYCLES": folding.requant_cycles,
        }  # fmt: skip

    def rom_styles(self, folding: SparseMacFolding) -> dict[str, MemoryStyle]:
        return {"program": folding.program, "requant": folding.requant}

    def cpp_parameters(self, folding: SparseMacFolding) -> dict[str, int]:
        return {"BLOCK": self.block(folding)}

    def blocks(self, folding: SparseMacFolding) -> tuple[Blocks, ...]:
        return (
            Blocks("z", folding.z_buffers, folding.p, folding.z),
            Blocks("sums", folding.sum_buffers, folding.p, folding.sums),
        )

    def parts(self, folding: SparseMacFolding) -> tuple[Part, ...]:
        skip = self.input_names[1 : len(self.in_specs)]
        return Part("load", ("in", "z")), Part("walk", ("z", "sums")), Part("drain", ("sums", "out", *skip))

    def memories(self, folding: SparseMacFolding) -> dict[str, Memory]:
        """program: per cycle and lane {last, where, coefficient}, lane 0 and the coefficient lowest; `last` only where
        bits end rows. requant: per output channel {bias with its rounding half, multiplier}, the multiplier lowest.
        lanes: per output channel its lane."""
        lanes, coding = self.lanes(folding.p, folding.coding), folding.coding
        mw, bw = self._costs.multiplier_bits(folding), self._bias_bits
        constants = to_words(((self.requant.multiplier, mw), (self.requant.rounded_bias(), bw)))
        return {
            "program": Memory(folding.p * coding.bits(self.depth, self.coef_bits), self._program(folding.p, coding)),
            "requant": Memory(mw + bw, constants),
            "lanes": Memory(address_bits(folding.p), tuple(lanes.lane_of())),
        }

    def _program(self, p: int, coding: Coding) -> tuple[int, ...]:
        if (p, coding) not in self._made:  # each backend asks for it
            widths = self.coef_bits, coding.where_bits(self.depth), int(coding.row_ends == BIT)
            made = self._programs.entries(self.lanes(p, coding), coding)
            lanes = zip(made.coef, made.where, made.last)
            self._made[p, coding] = to_words(field for lane in lanes for field in zip(lane, widths))
        return self._made[p, coding]

    @cached_property
    def _made(self) -> dict[tuple[int, Coding], tuple[int, ...]]:
        return {}
