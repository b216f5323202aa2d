"""The FIFO of an edge."""

from __future__ import annotations

from dataclasses import dataclass

from ..target.memory import MemoryStyle, ram_cost
from ..target.resources import Resources


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
        pointer = self.depth.bit_length()
        logic = Resources(lut=3 * pointer + 4, ff=3 * pointer + self.width + 2)
        return logic + ram_cost(self.depth, self.width, self.memory)
