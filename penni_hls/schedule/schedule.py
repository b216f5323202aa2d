"""Schedule: the network with every decision made. Emitters and reports read it; nothing is decided after it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from ..ir.graph import Graph, Node
from ..ir.images import copies, frames_of
from ..ir.ops.base import Folding, Operator
from ..ir.streams import Stream
from ..target.boards import Board
from ..target.resources import Resources
from .link import Link


@dataclass(frozen=True)
class Shortfall:
    """A resource of which the accelerator may not use as much as it needs. device: all that the board has."""

    resource: str
    needed: float
    available: float
    device: float

    def __str__(self) -> str:
        share = f"{self.available:,.0f} ({self.available / self.device:.0%} of {self.device:,.0f})"
        return f"{self.resource.upper()}: needs {self.needed:,.0f}, may use {share}"


@dataclass(frozen=True)
class Prediction:
    """By the model of the pipeline, in cycles. cycles_per_image: between images in the steady state. fill: images before
    it. latency: from the first value of the first image to its last result. spans: when each operator begins and ends
    with that image."""

    cycles_per_image: int
    fill: int
    latency: int
    spans: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Proof:
    """How good the choice of foldings is, by the operators' own cycles and costs. cycles: of the slowest stage, where no
    operator waits for another. bound: no choice within the budget has fewer. gap: no choice with as few cycles needs a
    share of the board that is smaller by more than this part; None where that is not known. wanted: the most cycles that
    were asked for; None: as few as fit."""

    cycles: int
    bound: int
    gap: float | None
    wanted: int | None = None


@dataclass(frozen=True, eq=False)
class Schedule:
    """graph: integer operators; foldings: by node name; links: every map edge but the top's input, in graph order.
    prediction: of the RTL; in_hls: of what Vitis HLS makes of the C++, without spans; None where it was not asked for."""

    graph: Graph[Operator]
    board: Board
    foldings: dict[str, Folding]
    links: tuple[Link, ...]
    prediction: Prediction
    proof: Proof
    in_hls: Prediction | None = None

    @property
    def instances(self) -> tuple[Node[Operator], ...]:
        """The nodes that have a module of their own."""
        return tuple(node for node in self.graph if node.op.hardware)

    @cached_property
    def copies(self) -> int:
        """Copies of the network or its first part, which take the images by turns."""
        return copies(self.graph)

    @cached_property
    def cycles(self) -> dict[str, int]:
        """The fewest clock cycles between images of the network that each operator can do, by node name: of one that
        sees every second image, half of those that it needs for an image."""
        found = {node.name: node.op.cycles(self.foldings[node.name]) for node in self.instances}
        return {name: math.ceil(self._frames[name] * cycles / self.copies) for name, cycles in found.items()}

    @cached_property
    def _frames(self) -> dict[str, int]:
        return frames_of(self.graph)

    @property
    def cycles_per_image(self) -> int:
        """Predicted clock cycles between images: those of the slowest operator, or more where operators wait."""
        return self.prediction.cycles_per_image

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
        """The resources of which more is needed than the accelerator may use; empty when the design is estimated to fit."""
        have, limits, device = (cost.as_dict() for cost in (self.total, self.board.plan_budget, self.board.device))
        return tuple(
            Shortfall(name, have[name], limit, device[name]) for name, limit in limits.items() if have[name] > limit
        )

    @property
    def too_slow(self) -> bool:
        """It needs more cycles than were asked for."""
        return self.proof.wanted is not None and self.cycles_per_image > self.proof.wanted

    @property
    def fits(self) -> bool:
        """It is estimated to fit, at the rate that was asked for."""
        return not self.shortfalls and not self.too_slow

    def slowest_part(self, name: str) -> str:
        """What of an operator sets its cycles: the part of its hardware, by the names of its timing."""
        return self.graph.by_name[name].op.timing(self.foldings[name]).slowest()

    @cached_property
    def multipliers(self) -> int:
        """Multiply-accumulators of all operators."""
        return sum(node.op.multipliers(self.foldings[node.name]) for node in self.instances)

    @cached_property
    def products(self) -> int:
        """Multiplications by a non-zero coefficient in one image."""
        return sum(self._frames[node.name] * node.op.products for node in self.instances) // self.copies

    @property
    def mac_bound(self) -> float:
        """Cycles per image if every multiplier were busy in every cycle."""
        return self.products / self.multipliers if self.multipliers else 0.0

    @property
    def stream_bound(self) -> int:
        """Cycles per image that the widest map takes at a beat per cycle, in each of the copies or outside of them."""
        source, sink = self.graph.input.op, self.graph.output.op
        maps = ((node, spec) for node in self.instances for spec in node.op.in_specs if not spec.tiled)
        images = {node.name: self._frames[node.name] * node.op.takes / self.copies for node in self.instances}
        streams = (images[node.name] * Stream(spec, node.op.values_in).beats_per_frame for node, spec in maps)
        ends = (Stream(source.out_spec, source.values_out), Stream(sink.out_spec))
        return math.ceil(max(*streams, *(end.beats_per_frame for end in ends)))

    @property
    def images_per_second(self) -> float:
        """At the board's clock, by the predicted cycles."""
        return self.board.clock_mhz * 1e6 / self.cycles_per_image
