"""The memories of a device: where a RAM or ROM of some size goes by default, and what it costs there.

Where a memory lies is part of an operator's folding: one of the styles below.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

from .fabric import Fabric
from .resources import Resources

BLOCK, LUT, ULTRA = "block", "lut", "ultra"  # block RAM; LUT RAM, or for a ROM plain LUTs; UltraRAM, for no ROM
MemoryStyle = Literal["block", "lut", "ultra"]
STYLES = (LUT, BLOCK, ULTRA)  # in the order of the numbers that hw/rtl and hw/hls have for them

LUTRAM_BITS = 4096  # below this many bits (and 256 words) a memory costs less in LUT RAM than half a block RAM
ROM_WORDS, ROM_SLICE = 64, 256  # words whose bit is one LUT; of which a slice chooses by itself
FEW_WORDS = 12  # from which on bits are hardly ever the same
ULTRA_WORDS, ULTRA_BITS, BYTES = 4096, 72, (8, 9)  # of an UltraRAM, and of what it can write alone in a word
BLOCK_RAM_LUTS = 380  # LUTs that weigh as much as a RAMB36: what small devices hold of both


def address_bits(depth: int) -> int:
    """Bits to address `depth` words; at least 1."""
    return max(1, math.ceil(math.log2(depth)))


def chosen(inputs: int) -> int:
    """LUTs that choose one of so many bits: a LUT one of four."""
    return math.ceil((inputs - 1) / 3)


def ram_style(depth: int, width: int) -> MemoryStyle:
    """Where a RAM of this size costs least."""
    return LUT if depth <= 64 or depth * width <= LUTRAM_BITS and depth <= 256 else BLOCK


def rom_style(depth: int) -> MemoryStyle:
    """Where a ROM of this size lies: in LUTs while a bit of it is one LUT."""
    return BLOCK if depth > 64 else LUT


@cache
def rom_cost(depth: int, width: int, style: MemoryStyle) -> Resources:
    """In LUTs, few words have few different bits: of random contents so many, less those that are constant or an address
    bit."""
    if style == BLOCK:
        return block_cost(depth, width)
    luts = math.ceil(depth / ROM_WORDS) * (1.5 if depth > ROM_SLICE else 1.0)
    if depth >= FEW_WORDS:
        return Resources(lut=width * luts)
    kinds = 2**depth
    plain = min(1.0, (2 + 2 * address_bits(depth)) / kinds)
    return Resources(lut=kinds * (1 - (1 - 1 / kinds) ** width) * (1 - plain) * (depth > 2))


@cache
def ram_cost(depth: int, width: int, style: MemoryStyle) -> Resources:
    """A simple dual-port RAM: RAM64M (3 bits x 64 words in 4 LUTs) or RAMB18/RAMB36 by the widths they come in."""
    if style == BLOCK:
        return block_cost(depth, width)
    if style == ULTRA:
        return ultra_cost(depth, width)
    if depth <= 32:
        return Resources(lut=4 * math.ceil(width / 6))
    banks = math.ceil(depth / 64)
    chosen = (
        width * math.ceil(banks / 4) + 2 * banks if banks > 1 else 0
    )  # one of the banks' values, and where to write
    return Resources(lut=4 * math.ceil(width / 3) * banks + chosen)


def shared_ram_cost(depth: int, width: int, style: MemoryStyle = BLOCK) -> Resources:
    """A true dual-port block RAM or UltraRAM, of which both ports read."""
    if style == ULTRA:
        once = ultra_cost(depth, width)
        return Resources(lut=2 * once.lut, uram=once.uram)
    once = block_cost(depth, width, true_dual_port=True)
    return Resources(lut=2 * once.lut, bram36=once.bram36)


def weight(cost: Resources) -> float:
    """LUTs and block RAMs as one number."""
    return cost.lut + BLOCK_RAM_LUTS * cost.bram36


def ultra_cost(depth: int, width: int) -> Resources:
    """UltraRAMs for a RAM of depth x width, and the LUTs that choose among those above each other."""
    stacked = math.ceil(depth / ULTRA_WORDS)
    chosen = 0.0 if stacked == 1 else width * math.ceil((stacked - 1) / 3)
    return Resources(lut=chosen, uram=stacked * math.ceil(width / ULTRA_BITS))


def or_ultra(usual: MemoryStyle, lane: int, fabric: Fabric) -> tuple[MemoryStyle, ...]:
    """Where a memory may lie of which lanes of so many bits are written alone: where it usually does, or instead of block
    RAM in UltraRAM, where that exists and the lanes are its bytes."""
    return (usual, ULTRA) if usual == BLOCK and fabric.uram and lane in BYTES else (usual,)


def number(style: MemoryStyle) -> int:
    """The style as a parameter of the hardware."""
    return STYLES.index(style)


@cache
def block_cost(depth: int, width: int, true_dual_port: bool = False) -> Resources:
    """RAMB36 for a RAM of depth x width: columns of one shape, the best of the shapes that exist, and the LUTs that choose
    among blocks above each other. A simple dual-port RAM can be twice as wide as a true one. (yosys puts words of a ROM side
    by side, where that saves half a block; nothing is said here of other tools, so this is not counted on.)"""
    shapes = ((1024, 36, 1.0), (2048, 18, 1.0), (4096, 9, 1.0), (8192, 4, 1.0), (16384, 2, 1.0))
    if not true_dual_port:
        shapes = ((512, 72, 1.0), *shapes)
    halves = tuple((d, w // 2, 0.5) for d, w, _ in shapes)
    options = []
    for d, w, unit in shapes + halves:
        stacked = math.ceil(depth / d)
        lut = 0.0 if stacked == 1 else width * math.ceil((stacked - 1) / 3)  # a LUT chooses one of four
        options.append((unit * stacked * math.ceil(width / w), lut))
    best, lut = min(options)
    return Resources(lut=lut, bram36=best)
