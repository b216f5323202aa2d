"""Schedule: the network with every decision made. Emitters and reports read it; nothing is decided after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ..ir.graph import Graph, Node
from ..ir.ops.base import Folding, Operator
from ..ir.streams import Stream
from ..target.boards import Board
from ..target.memory import MemoryStyle, ram_cost
from ..target.resources import Resources


@dataclass(frozen=True)
class Link:
    """The FIFO of a map edge: `depth` words of `width` bits in a `memory`, into input number `port` of `dst`."""

    src: str
    dst: str
    port: int
    depth: int
    width: int
    memory: MemoryStyle

    def cost(self) -> Resources:
        pointer = self.depth.bit_length()
        logic = Resources(lut=3 * pointer + 4, ff=3 * pointer + self.width + 2)
        return logic + ram_cost(self.depth, self.width, self.memory)


@dataclass(frozen=True)
class Shortfall:
    """A resource of which the board has too little."""

    resource: str
    needed: float
    available: float

    def __str__(self) -> str:
        return f"{self.resource.upper()}: needs {self.needed:,.0f}, the board has {self.available:,.0f}"


@dataclass(frozen=True, eq=False)
class Schedule:
    """graph: integer operators; foldings: by node name; links: every map edge but the top's input, in graph order."""

    graph: Graph[Operator]
    board: Board
    foldings: dict[str, Folding]
    links: tuple[Link, ...]

    @property
    def instances(self) -> tuple[Node[Operator], ...]:
        """The nodes that have a module of their own."""
        return tuple(node for node in self.graph if node.op.hardware)

    @cached_property
    def cycles(self) -> dict[str, int]:
        """Predicted clock cycles between frames, by node name."""
        return {node.name: node.op.cycles(self.foldings[node.name]) for node in self.instances}

    @property
    def cycles_per_image(self) -> int:
        """The slowest operator sets the rate of the pipeline."""
        return max(self.cycles.values())

    @property
    def slowest(self) -> str:
        return max(self.cycles, key=self.cycles.__getitem__)

    @cached_property
    def resources(self) -> dict[str, Resources]:
        """Estimated resources by node name; the FIFOs at a node's inputs are counted with it."""
        cost = {node.name: node.op.cost(self.foldings[node.name]) for node in self.instances}
        for link in self.links:
            cost[link.dst] = cost[link.dst] + link.cost()
        return cost

    @cached_property
    def total(self) -> Resources:
        return sum(self.resources.values(), Resources())

    @cached_property
    def shortfalls(self) -> tuple[Shortfall, ...]:
        """The resources of which the whole device has too little; empty when the design is estimated to fit."""
        have, limits = self.total.as_dict(), self.board.device.as_dict()
        return tuple(Shortfall(name, have[name], limit) for name, limit in limits.items() if have[name] > limit)

    @cached_property
    def multipliers(self) -> int:
        """Multiply-accumulators of all operators."""
        return sum(node.op.multipliers(self.foldings[node.name]) for node in self.instances)

    @cached_property
    def products(self) -> int:
        """Multiplications by a non-zero coefficient in one image."""
        return sum(node.op.products for node in self.instances)

    @property
    def mac_bound(self) -> float:
        """Cycles per image if every multiplier were busy in every cycle."""
        return self.products / self.multipliers if self.multipliers else 0.0

    @property
    def stream_bound(self) -> int:
        """Cycles per image that the widest map takes at one value per cycle."""
        maps = (spec for node in self.instances for spec in node.op.in_specs if not spec.tiled)
        return max(Stream(spec).beats_per_frame for spec in maps)

    @property
    def images_per_second(self) -> float:
        """At the board's clock, by the predicted cycles."""
        return self.board.clock_mhz * 1e6 / self.cycles_per_image
