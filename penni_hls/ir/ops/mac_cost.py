"""What `sparse_mac` takes of a device, part by part of hw/rtl/penni_sparse_mac.sv.

Flip-flops, DSPs and memories are counted from the RTL. So are LUTs where a bit of something takes a known number of them;
what yosys makes of the rest is `FITTED`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, wraps
from operator import attrgetter

from ...target.memory import LUT, MemoryStyle, address_bits, chosen, ram_cost, rom_cost, shared_ram_cost
from ...target.resources import Resources
from ..fixed import QType
from .mac_folding import DSP, PAIR, Multiplier, Pairing, SparseMacFolding
from .program import STEP, Coding, Lanes, RowEnds

NO_PAIRS = Pairing(0, 0)
FEW = 12  # inputs of a multiplexer that yosys makes of LUTs with four inputs each
WITHOUT_REQUANTIZER = attrgetter(
    "q", "p", "z", "sums", "program", "step_bits", "row_ends", "z_buffers", "sum_buffers", "multiplier", "preadder_bits"
)
LEAST_MULTIPLIER = 8  # bits, so that a requantizer that takes turns is told from one without multipliers


@dataclass(frozen=True)
class Fitted:
    """LUTs that are not counted. Found by `bench/costs.py --fit`."""

    control: float = 25  # counters of values, program words and channels, and who owns which buffer
    lane: float = 6.87
    steps: float = 3.52  # of a lane
    choose: float = 0.456  # code of a multiplexer with many inputs, for each bit
    extra: float = 0.574  # of a product of so many bits times so many
    requant: float = 18  # a step for each value, the FIFO's counters
    serial: float = 12
    turns: float = 5.6


FITTED = Fitted()


def once(part):
    """A method of a frozen object that is asked for the same few arguments again and again: it works each out once."""

    @wraps(part)
    def known(self, *arguments):
        found = self.__dict__.setdefault("_known", {})
        key = (part, *arguments)
        if key not in found:
            found[key] = part(self, *arguments)
        return found[key]

    return known


@dataclass(frozen=True)
class MacCost:
    """Sizes of an operator: pixels, addresses and output channels, the type of z, and widths in bits. skip_bits: of a skip
    connection; 0: there is none."""

    pixels: int
    depth: int
    channels: int
    tiled: bool
    skip_bits: int
    z_type: QType
    coef_bits: int
    acc_bits: int
    total_bits: int
    m_bits: int
    k_bits: int
    bias_bits: int
    out_bits: int

    def __getstate__(self) -> dict[str, object]:
        """The sizes: what was worked out of them stays where it was."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def total(self, folding: SparseMacFolding, lanes: Lanes) -> Resources:
        pair = folding.multiplier == PAIR
        return self._all_but_requantizer(folding, lanes) + self._requantizer(
            folding.requant_cycles, folding.requant, pair
        )

    def _all_but_requantizer(self, folding: SparseMacFolding, lanes: Lanes) -> Resources:
        """The same for many foldings that are asked for."""
        key = (*WITHOUT_REQUANTIZER(folding), lanes.words, lanes.longest)
        if key not in self._bodies:
            self._bodies[key] = self._body(folding, lanes)
        return self._bodies[key]

    @cached_property
    def _bodies(self) -> dict[tuple, Resources]:
        return {}

    def _body(self, folding: SparseMacFolding, lanes: Lanes) -> Resources:
        p, q, z_buffers, sum_buffers = folding.p, folding.q, folding.z_buffers, folding.sum_buffers
        pair, longest, pairing = folding.multiplier == PAIR, lanes.longest, self.pairing(folding)
        return Resources.of(
            self.program(folding.coding, lanes, folding.program),
            self.z(folding, folding.z),
            self.sums(folding, lanes, folding.sums),
            self._control(q, lanes.words, folding.fetch, z_buffers, sum_buffers, folding.sum_latency),
            self._lanes(p, longest, folding.step_bits, folding.row_ends, sum_buffers, folding.multiplier),
            self._shared_reads(p, folding.z, z_buffers),
            self._multipliers(p, folding.accumulators, folding.multiplier, pairing.extra),
            self._row_sums(p, q, folding.accumulators, longest, sum_buffers, self._sum_bits(pairing), pair),
        )

    # ---- widths ----------------------------------------------------------------------------------------------------

    @cached_property
    def serial_cycles(self) -> int:
        """Cycles per value of a requantizer without multipliers."""
        return self._digits(True) // 2 + 1

    def multiplier_bits(self, folding: SparseMacFolding) -> int:
        """Width of M in hardware."""
        return self._digits(folding.requant_cycles >= self.serial_cycles)

    def _digits(self, serial: bool) -> int:
        """Bits of M, and where it is read digit by digit, of K too: even."""
        bits = max(self.m_bits, self.k_bits if serial else 0)
        return max(LEAST_MULTIPLIER, bits + bits % 2)

    def pairing(self, folding: SparseMacFolding) -> Pairing:
        """Two pixels in one multiplier, where the folding has that."""
        return self._pairing(folding.preadder_bits) if folding.multiplier == PAIR else NO_PAIRS

    @once
    def _pairing(self, preadder_bits: int) -> Pairing:
        return Pairing.of(self.z_type, self.acc_bits, preadder_bits)

    def _sum_bits(self, pairing: Pairing) -> int:
        """Width of a running sum, or of a pair of them."""
        return self.acc_bits + pairing.shift + pairing.extra

    def _short(self, q: int) -> int:
        """Bits of what finds the last group of a frame, where that is short."""
        groups, rest = divmod(self.pixels, q)
        return (groups + 1).bit_length() + 1 if rest and groups else 0

    # ---- memories, and the flip-flops that those in LUTs are read into -----------------------------------------------

    def constants(self, folding: SparseMacFolding, style: MemoryStyle) -> Resources:
        """Of M and the biases."""
        return self._rom(self.channels, self.multiplier_bits(folding) + self.bias_bits, style)

    def program(self, coding: Coding, lanes: Lanes, style: MemoryStyle) -> Resources:
        return self._rom(lanes.words, len(lanes.rows) * coding.bits(self.depth, self.coef_bits), style)

    @once
    def _rom(self, depth: int, width: int, style: MemoryStyle) -> Resources:
        return rom_cost(depth, width, style) + Resources(ff=width * (style == LUT))

    def z(self, folding: SparseMacFolding, style: MemoryStyle) -> Resources:
        return self._z(folding.p, folding.q, folding.z_buffers, style)

    @once
    def _z(self, p: int, q: int, buffers: int, style: MemoryStyle) -> Resources:
        depth, width = 2 << address_bits(self.depth) if buffers == 2 else self.depth, q * self.z_type.bits
        if style == LUT:  # of a map, each pixel of a group has a memory of its own
            lanes, part = (1, width) if self.tiled else (q, self.z_type.bits)
            return ram_cost(depth, part, LUT).times(p * lanes) + Resources(ff=p * width)
        alone = ram_cost(depth, width, style)
        if buffers == 2:
            return alone.times(p)
        return shared_ram_cost(self.depth, width, style).times(p // 2) + alone.times(p % 2)

    def sums(self, folding: SparseMacFolding, lanes: Lanes, style: MemoryStyle) -> Resources:
        width = folding.accumulators * self._sum_bits(self.pairing(folding))
        return self._sums(folding.p, lanes.longest, width, folding.sum_buffers, style)

    @once
    def _sums(self, p: int, longest: int, width: int, buffers: int, style: MemoryStyle) -> Resources:
        depth = longest if buffers == 1 else 2 << address_bits(longest)
        return (ram_cost(depth, width, style) + Resources(ff=width * (style == LUT))).times(p)

    # ---- logic -----------------------------------------------------------------------------------------------------

    @once
    def _control(self, q: int, words: int, fetch: int, z_buffers: int, sum_buffers: int, sum_latency: int) -> Resources:
        """Where the next value of z goes, the counter of program words, and what follows its end through the pipeline."""
        address, pixels = address_bits(self.depth), 0 if self.tiled else q + self._short(q)
        later = 1 if fetch else z_buffers  # of the half that is read: a shift register where it is long
        ff = address + address_bits(words) + 3 * z_buffers + 4 * sum_buffers + pixels + sum_latency + 1 + later
        return Resources(lut=FITTED.control + address + pixels, ff=ff)

    @once
    def _lanes(
        self, p: int, longest: int, step_bits: int, row_ends: RowEnds, sum_buffers: int, multiplier: Multiplier
    ) -> Resources:
        """Addresses of z and the counters of rows. A coefficient passes through one register, or through three where there
        are steps. A DSP takes one of them; three are a shift register."""
        address, rows, product = address_bits(self.depth), address_bits(longest), 2 + (multiplier == PAIR)
        lut, ff, taken = FITTED.lane, rows + sum_buffers - 1 + product, multiplier == DSP
        if step_bits:
            begins = row_ends == STEP
            lut += FITTED.steps + (step_bits if begins else address) + self.coef_bits * (not taken)
            ff += step_bits + address + 2 + begins + 2 * self.coef_bits * taken
        else:
            ff += self.coef_bits * (not taken)
        return Resources(lut, ff).times(p) + Resources(ff=product + 2 + 2 * (step_bits > 0))

    def steps(self, coding: Coding) -> float:
        """LUTs of a lane, from steps to addresses."""
        return FITTED.steps + address_bits(self.depth) if coding.step_bits else 0.0

    @once
    def _shared_reads(self, p: int, style: MemoryStyle, z_buffers: int) -> Resources:
        """Ports with two addresses."""
        shared = p // 2 if style != LUT and z_buffers == 1 else 0
        return Resources(lut=address_bits(self.depth) * shared)

    @once
    def _multipliers(self, p: int, units: int, multiplier: Multiplier, extra: int) -> Resources:
        acc, z = self.acc_bits, self.z_type.bits
        if multiplier == DSP:
            # yosys leaves an accumulator out of the DSP that is one bit wider than the product of two signed numbers.
            outside = self.z_type.signed and acc == self.coef_bits + z + 1
            return Resources(lut=acc * outside, ff=acc * outside, dsp=1).times(p * units)
        if multiplier == PAIR:
            one = Resources(dsp=1, lut=extra + FITTED.extra * extra * extra, ff=z + 3 * extra)
            return one.times(p * units) + Resources(ff=2 * extra * p)
        if self.coef_bits <= 2:
            return Resources(lut=acc + 2, ff=acc + 2 * z + 4).times(p * units)
        return Resources(lut=acc + 2 * z + 1, ff=acc + 3 * z + 6).times(p * units)

    @once
    def _row_sums(
        self, p: int, q: int, units: int, longest: int, sum_buffers: int, width: int, pair: bool
    ) -> Resources:
        """From the running sums of all lanes to the sum of one row: a multiplexer, a subtraction, counters."""
        pixel, channel, short = (q - 1).bit_length(), address_bits(self.channels), self._short(q)
        unit = (units - 1).bit_length()
        inputs, codes = p << unit, 1 << (p - 1).bit_length() + unit
        choice = chosen(inputs) if inputs <= FEW else FITTED.choose * codes
        several = Resources(ff=channel + width)
        if p > 1:  # the sums before are a RAM; which lane has which channel, a ROM
            name, rows = address_bits(p), address_bits(longest)
            several = ram_cost(p, width, LUT) + rom_cost(self.channels, name, LUT)
            several += Resources(lut=p * (rows + 1), ff=3 * name + 1 + p * (1 + rows))
        lut = pixel + 2 * short + (choice + 1) * width
        ff = sum_buffers + channel + 3 * pixel + short + 3 + width + self.acc_bits
        if pair:
            lut, ff = lut + 2 * self.acc_bits + 1, ff + width - 2
        return several + Resources(lut=lut, ff=ff)

    @once
    def _requantizer(self, cycles: int, style: MemoryStyle, pair: bool) -> Resources:
        """Constants, the FIFO of results, and a DSP for M and one for K, or one for both, or adders in LUTs."""
        acc, bias, skip, serial = self.acc_bits, self.bias_bits, self.skip_bits, cycles >= self.serial_cycles
        m, waits = self._digits(serial), (cycles - 1).bit_length()
        ff = 14 + pair + address_bits(self.channels) + waits + (cycles > 1)
        parts = self._rom(self.channels, m + bias, style)
        parts += Resources(lut=FITTED.requant + waits + 2 * self.out_bits, ff=ff)
        if serial:
            adders = acc + 1 + 2 * bias + acc * (skip > 0)
            return parts + Resources(lut=FITTED.serial + adders, ff=2 * (bias + acc + skip) + m // 2 + 14)
        if skip and cycles > 1:
            return parts + Resources(lut=FITTED.turns + acc + skip, ff=30, dsp=1)
        dsp = 1 + (skip > 0)
        if acc <= 25:
            return parts + Resources(lut=(bias + 1) * (skip > 0), ff=2 + bias + 2 * skip, dsp=dsp)
        digits, total = (acc - 23) // 2, self.total_bits  # pairs of bits of a sum that one DSP does not take
        lut, ff = 2 * m * digits + total * digits - 25, (2 * m + 2) * digits + (total - 24) * (digits - 1)
        return parts + Resources(lut=lut + (bias + 1) * (skip > 0), ff=ff + 12 + digits + 2 * skip, dsp=dsp)
