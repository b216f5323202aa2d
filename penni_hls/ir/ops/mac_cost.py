"""What `sparse_mac` takes of a device, part by part. The constants were fitted to yosys (docs/benchmarks.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...target.memory import LUT, MemoryStyle, address_bits, ram_cost, rom_cost, shared_ram_cost
from ...target.resources import Resources
from ..fixed import QType
from .mac_folding import DSP, PAIR, Pairing, SparseMacFolding
from .program import Coding, Lanes

LEAST_MULTIPLIER = 8  # bits, so that a requantizer that takes turns is told from one without multipliers


@dataclass(frozen=True)
class MacCost:
    """Sizes of an operator: addresses and output channels, the type of z, and widths in bits. skip: whether one is added."""

    depth: int
    channels: int
    tiled: bool
    skip: bool
    z_type: QType
    coef_bits: int
    acc_bits: int
    total_bits: int
    m_bits: int
    k_bits: int
    bias_bits: int
    out_bits: int

    def total(self, folding: SparseMacFolding, lanes: Lanes) -> Resources:
        p, depth = folding.p, address_bits(self.depth)
        parts = self.program(folding.coding, lanes, folding.program)
        parts += self.z(folding, folding.z) + self.sums(folding, lanes, folding.sums)
        parts += self._multiplier(folding).times(p * folding.accumulators)
        parts += self._row_sums(folding, lanes) + self._requantizer(folding)
        shared = p // 2 if folding.z != LUT and folding.z_buffers == 1 else 0  # their ports have two addresses
        lut = 25 + 15 * (p > 1) + (0 if self.tiled else folding.q) + depth * shared
        return parts + Resources(
            lut=lut + p * (9 + self.steps(folding.coding)),
            ff=35 + p * (18 + address_bits(lanes.longest) + folding.fetch * depth) + self._read_registers(folding),
        )

    def _digits(self, serial: bool) -> int:
        """Bits of M, and where it is read digit by digit, of K too: even."""
        bits = max(self.m_bits, self.k_bits if serial else 0)
        return max(LEAST_MULTIPLIER, bits + bits % 2)

    @property
    def serial_cycles(self) -> int:
        """Cycles per value of a requantizer without multipliers."""
        return self._digits(True) // 2 + 1

    def multiplier_bits(self, folding: SparseMacFolding) -> int:
        """Width of M in hardware."""
        return self._digits(folding.requant_cycles >= self.serial_cycles)

    def constants(self, folding: SparseMacFolding, style: MemoryStyle) -> Resources:
        """The memory of M and the biases."""
        return rom_cost(self.channels, self.multiplier_bits(folding) + self.bias_bits, style)

    def program(self, coding: Coding, lanes: Lanes, style: MemoryStyle) -> Resources:
        return rom_cost(lanes.words, len(lanes.rows) * coding.bits(self.depth, self.coef_bits), style)

    def steps(self, coding: Coding) -> float:
        """LUTs of a lane, from steps to addresses."""
        return address_bits(self.depth) if coding.step_bits else 0.0

    def z(self, folding: SparseMacFolding, style: MemoryStyle) -> Resources:
        width = folding.q * self.z_type.bits
        if folding.z_buffers == 2:
            return ram_cost(2 << address_bits(self.depth), width, style).times(folding.p)
        alone = ram_cost(self.depth, width, style)
        if style == LUT:
            return alone.times(folding.p)
        return shared_ram_cost(self.depth, width, style).times(folding.p // 2) + alone.times(folding.p % 2)

    def sums(self, folding: SparseMacFolding, lanes: Lanes, style: MemoryStyle) -> Resources:
        depth = lanes.longest if folding.sum_buffers == 1 else 2 << address_bits(lanes.longest)
        return ram_cost(depth, folding.accumulators * self._sum_bits(folding), style).times(folding.p)

    def _sum_bits(self, folding: SparseMacFolding) -> int:
        """Width of a running sum, or of a pair of them, in memory."""
        pairing = self.pairing(folding)
        return self.acc_bits + pairing.shift + pairing.extra

    def pairing(self, folding: SparseMacFolding) -> Pairing:
        """Two pixels in one multiplier, where the folding has that."""
        if folding.multiplier != PAIR:
            return Pairing(0, 0)
        return Pairing.of(self.z_type, self.acc_bits, folding.preadder_bits)

    def _read_registers(self, folding: SparseMacFolding) -> int:
        """Flip-flops that LUT RAM is read into."""
        z = folding.q * self.z_type.bits if folding.z == LUT else 0
        sums = folding.accumulators * self._sum_bits(folding) if folding.sums == LUT else 0
        return folding.p * (z + sums)

    def _multiplier(self, folding: SparseMacFolding) -> Resources:
        """Of one multiply-accumulator."""
        acc, z, extra = self.acc_bits, self.z_type.bits, self.pairing(folding).extra
        if folding.multiplier == DSP:
            return Resources(dsp=1)
        if folding.multiplier == PAIR:
            return Resources(dsp=1, lut=1 + 0.8 * extra * extra, ff=(8 + 5 * extra) * (extra > 0))
        if self.coef_bits <= 2:
            return Resources(lut=acc + 2, ff=acc + 2 * z + 4)
        return Resources(lut=acc + 2 * z + 3, ff=acc + 3 * z + 10)

    def _row_sums(self, folding: SparseMacFolding, lanes: Lanes) -> Resources:
        """From the running sums of all lanes to the sum of one row: a multiplexer, a subtraction, counters."""
        p, width, pair = folding.p, self._sum_bits(folding), folding.multiplier == PAIR
        inputs = p << address_bits(folding.accumulators) * (folding.accumulators > 1)
        per_bit = (inputs > 1) if inputs <= 4 else 0.38 * inputs if inputs <= 16 else 0.45 * inputs
        several = Resources()
        if p > 1:
            rows, lookup = address_bits(lanes.longest), address_bits(p) * math.ceil(self.channels / 64)
            several = Resources(lut=p * (rows + 3) + 4 * math.ceil(width / 6) + lookup, ff=p * (rows + 1))
        return several + Resources(
            lut=12 + (per_bit + 1) * width + 2 * pair * self.acc_bits,
            ff=22 + width * (2 + (p == 1)) + pair * self.acc_bits,
        )

    def _requantizer(self, folding: SparseMacFolding) -> Resources:
        """Constants, the FIFO of results, and a DSP for M and one for K, or one for both, or adders in LUTs."""
        acc, total, skip = self.acc_bits, self.total_bits, self.skip
        common = self.constants(folding, folding.requant) + Resources(lut=32 + self.out_bits, ff=30 + 1.5 * total)
        if folding.requant_cycles >= self.serial_cycles:
            adders = self.bias_bits + acc * (2 if skip else 1) + 45
            return common + Resources(lut=adders, ff=adders)
        shared = skip and folding.requant_cycles > 1
        digits = 0 if acc <= 25 or shared else (acc - 23) // 2  # of what one DSP does not take of a sum
        return common + Resources(
            lut=acc * shared + digits * (total - 16) + 12 * (skip and not shared),
            ff=30 * shared + digits * (total - 16),
            dsp=1 + (skip and not shared),
        )
