"""The FIFO of an edge."""

from __future__ import annotations

from dataclasses import dataclass

from ..target.memory import LUT, MemoryStyle, address_bits, ram_cost
from ..target.resources import Resources


@dataclass(frozen=True)
class Fitted:
    """LUTs, found by `bench/costs.py --fit`."""

    lut: float = 8.1
    bit: float = 2.75  # of a pointer
    wrap: float = 0.429  # bit of a pointer whose end is no power of two


FITTED = Fitted()


@dataclass(frozen=True)
class Link:
    """The FIFO of a map edge: `depth` words of `width` bits in a `memory`, into input number `port` of `dst`; in C++, where
    stages of an operator work by turns, `cpp_depth` words."""

    src: str
    dst: str
    port: int
    depth: int
    width: int
    memory: MemoryStyle
    cpp_depth: int

    def cost(self) -> Resources:
        """Two pointers, which wrap, and a count; LUT RAM is read into flip-flops."""
        pointer, wraps = address_bits(self.depth), self.depth & (self.depth - 1) > 0
        lut = FITTED.lut + FITTED.bit * pointer + FITTED.wrap * pointer * wraps
        ff = 2 * pointer + self.depth.bit_length() + 3 + self.width * (self.memory == LUT)
        return Resources(lut=lut, ff=ff) + ram_cost(self.depth, self.width, self.memory)
