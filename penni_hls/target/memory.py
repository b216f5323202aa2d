"""The memories of a device: to which kind a RAM or ROM of some size is mapped, and its cost."""

from __future__ import annotations

import math

from .resources import Resources


def address_bits(depth: int) -> int:
    """Bits to address `depth` words; at least 1."""
    return max(1, math.ceil(math.log2(depth)))


LUTRAM_BITS = 4096  # below this many bits (and 256 words) a memory costs less in LUT RAM than half a block RAM


def ram_style(depth: int, width: int) -> str:
    """`distributed` or `block`: the kind of memory to which a RAM of this size is mapped."""
    return "distributed" if depth <= 64 or depth * width <= LUTRAM_BITS and depth <= 256 else "block"


def in_block_ram(depth: int, width: int) -> int:
    """`ram_style` as a hardware parameter: 1 for block RAM."""
    return int(ram_style(depth, width) == "block")


def rom_in_block_ram(depth: int) -> int:
    """The same for a ROM: a bit of up to 64 words is one LUT; of deeper ROMs with random contents, five or more."""
    return int(depth > 64)


def rom_cost(depth: int, width: int) -> Resources:
    if rom_in_block_ram(depth):
        return Resources(bram36=block_rams(depth, width))
    return Resources(lut=ROM_LUTS_PER_BIT * width * (depth > 2))


ROM_LUTS_PER_BIT = 1.7  # as mapped by yosys, with the registers' enables


def ram_cost(depth: int, width: int) -> Resources:
    """A simple dual-port RAM: RAM64M (3 bits x 64 words in 4 LUTs), or RAMB18/RAMB36 in their available widths."""
    if ram_style(depth, width) == "distributed":
        if depth <= 32:
            return Resources(lut=4 * math.ceil(width / 6))
        return Resources(lut=4 * math.ceil(width / 3) * math.ceil(depth / 64) + (width if depth > 64 else 0))
    return Resources(bram36=block_rams(depth, width))


def block_rams(depth: int, width: int) -> float:
    """RAMB36 for a simple dual-port RAM of depth x width, tiled with blocks of the cheapest available shape."""
    shapes = ((512, 72, 1.0), (1024, 36, 1.0), (2048, 18, 1.0), (4096, 9, 1.0), (8192, 4, 1.0), (16384, 2, 1.0))
    halves = tuple((d, w // 2, 0.5) for d, w, _ in shapes)
    best = math.inf
    for d, w, unit in shapes + halves:
        best = min(best, unit * math.ceil(depth / d) * math.ceil(width / w))
    return best
