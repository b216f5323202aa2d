"""The memories of a device: where a RAM or ROM of some size goes by default, and what it costs there.

Where a memory lies is part of an operator's folding: one of the styles below.
"""

from __future__ import annotations

import math
from typing import Literal

from .resources import Resources

BLOCK, LUT = "block", "lut"  # block RAM; LUT RAM, or for a ROM plain LUTs
MemoryStyle = Literal["block", "lut"]

LUTRAM_BITS = 4096  # below this many bits (and 256 words) a memory costs less in LUT RAM than half a block RAM
ROM_LUTS_PER_BIT = 1.7  # as yosys maps them, registers' enables and all


def address_bits(depth: int) -> int:
    """Bits to address `depth` words; at least 1."""
    return max(1, math.ceil(math.log2(depth)))


def ram_style(depth: int, width: int) -> MemoryStyle:
    """Where a RAM of this size costs least."""
    return LUT if depth <= 64 or depth * width <= LUTRAM_BITS and depth <= 256 else BLOCK


def rom_style(depth: int) -> MemoryStyle:
    """Where a ROM of this size costs least.

    A bit of up to 64 words is one LUT; of deeper ones, with contents that look random, five or more.
    """
    return BLOCK if depth > 64 else LUT


def rom_cost(depth: int, width: int, style: MemoryStyle) -> Resources:
    if style == BLOCK:
        return Resources(bram36=block_rams(depth, width))
    return Resources(lut=ROM_LUTS_PER_BIT * width * (depth > 2) * math.ceil(depth / 64))


def ram_cost(depth: int, width: int, style: MemoryStyle) -> Resources:
    """A simple dual-port RAM: RAM64M (3 bits x 64 words in 4 LUTs) or RAMB18/RAMB36 by the widths they come in."""
    if style == BLOCK:
        return Resources(bram36=block_rams(depth, width))
    if depth <= 32:
        return Resources(lut=4 * math.ceil(width / 6))
    return Resources(lut=4 * math.ceil(width / 3) * math.ceil(depth / 64) + (width if depth > 64 else 0))


def block_rams(depth: int, width: int) -> float:
    """RAMB36 for a simple dual-port RAM of depth x width: columns of one shape, the best of the shapes that exist."""
    shapes = ((512, 72, 1.0), (1024, 36, 1.0), (2048, 18, 1.0), (4096, 9, 1.0), (8192, 4, 1.0), (16384, 2, 1.0))
    halves = tuple((d, w // 2, 0.5) for d, w, _ in shapes)
    best = math.inf
    for d, w, unit in shapes + halves:
        best = min(best, unit * math.ceil(depth / d) * math.ceil(width / w))
    return best
