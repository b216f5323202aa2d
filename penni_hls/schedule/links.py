"""FIFO depths, by the model of the pipeline.

A short FIFO is enough, but where paths meet again: there one path waits for the other, and its FIFO must hold what D,
where they part, gives meanwhile. And behind operators that give in bursts, where that costs rate.
How deep: the network is run with FIFOs of any depth while frames come in at the rate that it can take; a FIFO gets what
it held then, and what comes while the registers of the other path delay that, and the same network is run again with
these depths, as fast as it takes frames. The first run alone says nearly always what the second one confirms, so the
search for foldings looks at no more. In C++, whose processes
hand over several groups at once and run empty between them, some need more: what they hold at the rate that is to be had.

Why it cannot deadlock: what an operator takes and gives, and in which order, never depends on data; it waits only for
input and for room. For such networks the outcome does not depend on who is slow: if one execution comes to its end with
these depths, every execution does. The last run of each is that execution.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..ir.graph import Graph, Node
from ..ir.images import copies, frames_of
from ..ir.ops.base import Folding, Operator
from ..ir.streams import Stream
from ..target.memory import ram_style
from ..target.resources import Resources
from .events import Deadlock
from .link import Link
from .pipeline import End, Pipeline, simulate

SHORT = 32  # words: what one level of LUT RAM holds
GRAIN = 128  # parts of a frame to which the model is exact
WORTH = 0.01  # of the rate: what deeper FIFOs must bring where paths do not meet
SAME = 1.002  # times the interval that FIFOs of any depth give
GROWTH = (1, 1.5, 2.5, 4)  # times what a FIFO held, until the rate is the same


def links(graph: Graph[Operator], foldings: Mapping[str, Folding]) -> tuple[tuple[Link, ...], Pipeline]:
    """Every map edge between two operators, in graph order, and what the model says of them. Edges from the input and
    tile edges need no FIFO."""
    sizing = Sizing(graph, foldings)
    return sizing.links(), sizing.found


def shortest(graph: Graph[Operator]) -> Resources:
    """What the FIFOs cost at least, whatever the foldings."""
    widths = [stream.bits for stream in Sizing(graph, {}).edges.values()]
    return sum((Link("", "", 0, SHORT, bits, ram_style(SHORT, bits), SHORT).cost() for bits in widths), Resources())


@dataclass(frozen=True)
class Expected:
    """interval: cycles between images. links: as of the RTL. everywhere: as in `Sizing`, what was found."""

    interval: float
    links: tuple[Link, ...]
    everywhere: bool


@dataclass(frozen=True)
class Sizing:
    """The same step by step: what is `expected` says whether a choice is of use, before depths are tried.

    everywhere: FIFOs where no paths meet may be deep as well; else they may where that brings rate."""

    graph: Graph[Operator]
    foldings: Mapping[str, Folding]
    everywhere: bool = False

    @property
    def expected(self) -> Expected:
        """What no run with these depths has confirmed yet."""
        return self._held[0]

    @property
    def found(self) -> Pipeline:
        """The RTL with its depths."""
        return self._depths[2]

    def in_rtl(self) -> tuple[Link, ...]:
        """As `links`, but as if the C++ needed no more."""
        return self._links(self._depths[0], self._depths[0])

    @property
    def found_in_cpp(self) -> Pipeline:
        """The C++ with its depths, as Vitis HLS would build it."""
        return self._in_cpp[1]

    def links(self) -> tuple[Link, ...]:
        return self._links(self._depths[0], self._in_cpp[0])

    def _links(self, depths: Mapping[End, int], in_cpp: Mapping[End, int]) -> tuple[Link, ...]:
        made = []
        for (dst, port), stream in self.edges.items():
            src, depth = self.graph.by_name[dst].inputs[port], depths[dst, port]
            made.append(Link(src, dst, port, depth, stream.bits, ram_style(depth, stream.bits), in_cpp[dst, port]))
        return tuple(made)

    @cached_property
    def edges(self) -> dict[End, Stream]:
        """Those that have a FIFO."""
        by_name = self.graph.by_name
        return {
            (node.name, port): Stream(spec, node.op.values_in)
            for node in self.graph
            for port, (src, spec) in enumerate(zip(node.inputs, node.op.in_specs))
            if not spec.tiled and by_name[src].op.hardware
        }

    @cached_property
    def joins(self) -> tuple[frozenset[End], ...]:
        """For each operator with several inputs the FIFOs before them."""
        joined = (node for node in self.graph if len(node.inputs) > 1)
        groups = (frozenset(self._fifo_before(node, port) for port in range(len(node.inputs))) for node in joined)
        return tuple(group & self.edges.keys() for group in groups)

    def _fifo_before(self, node: Node[Operator], port: int) -> End:
        """That of an input, or where it carries tiles, which have no FIFO, the next one up the path."""
        while node.op.in_specs[port].tiled:
            node, port = self.graph.by_name[node.inputs[port]], 0
        return node.name, port

    @cached_property
    def _held(self) -> tuple[Expected, dict[End, float]]:
        """With it the words that FIFOs hold which need more than a few."""
        least = self._least()
        meets, anywhere = frozenset().union(*self.joins), frozenset(self.edges)
        slow = (1 + WORTH) * least
        deep, free = meets, None if self.everywhere else self._run(self._unlimited(meets), slow=slow)
        if free is None or free.interval > slow:
            freer = self._run(self._unlimited(anywhere))
            slow = freer.interval / (1 - WORTH)
            if free and free.interval <= slow:
                free = self._run(self._unlimited(meets), slow=slow)
            if free is None or free.interval > slow:
                deep, free = anywhere, freer
        run = self._run(self._unlimited(deep), free.interval)
        held = {
            end: run.high_water[end] + run.registers[end] * min(1, stream.beats_per_frame / run.interval)
            for end, stream in self.edges.items()
        }
        words = {end: held[end] for end in self.edges if end in meets or (end in deep and held[end] >= SHORT)}
        return Expected(free.interval, self._links(*2 * [self._rounded(words)]), deep == anywhere), words

    @cached_property
    def _depths(self) -> tuple[dict[End, int], dict[End, float], Pipeline]:
        """Of every FIFO, the words that those with more than a few hold, and the pipeline with them."""
        expected, held = self._held
        for growth in GROWTH:
            words = {end: growth * count for end, count in held.items()}
            depths = self._rounded(words)
            found = self._tried(depths)
            if found is not None and found.interval <= SAME * expected.interval:
                break
        if found is None:
            raise Deadlock("no FIFO depths let the network come to its end")
        return depths, words, found

    @cached_property
    def _in_cpp(self) -> tuple[dict[End, int], Pipeline]:
        """Depths in C++, and the pipeline with them: those of the RTL where they do, or what the FIFOs hold there."""
        depths, words, _ = self._depths
        least = self._least(in_turn=True)
        best: tuple[dict[End, int], Pipeline] | None = None
        for chosen, interval in self._for_cpp(depths, words, least):
            tried = self._tried(chosen, in_turn=True)
            if tried is not None and (best is None or tried.interval < best[1].interval):
                best = chosen, tried
            if best is not None and best[1].interval <= (1 + WORTH) * interval:
                break
        if best is None:
            raise Deadlock("no FIFO depths let the C++ come to its end")
        return best

    def _for_cpp(
        self, depths: dict[End, int], words: Mapping[End, float], least: float
    ) -> Iterator[tuple[dict[End, int], float]]:
        """Depths to try, each with the interval that is to be had."""
        yield depths, least
        run = self._run(self._unlimited(self.edges), least, in_turn=True)
        if run.interval > SAME * least:  # frames came too fast, and waited before the slowest operator
            run = self._run(self._unlimited(self.edges), run.interval, in_turn=True)
        meets, high = frozenset().union(*self.joins), run.high_water
        for ends, growth in ((meets, 1), *((self.edges, growth) for growth in GROWTH)):
            deep = {end: growth * high[end] for end in ends if end in meets or high[end] >= SHORT}
            yield self._rounded({**words, **{end: max(words.get(end, 0), deep[end]) for end in deep}}), run.interval
        yield {end: stream.beats_per_frame + SHORT for end, stream in self.edges.items()}, run.interval

    def _least(self, in_turn: bool = False) -> float:
        """Cycles between images where no operator waits for another."""
        frames, busy = frames_of(self.graph), []
        for node in self.graph:
            if node.op.hardware:
                op, folding = node.op, self.foldings[node.name]
                busy.append(frames[node.name] * (op.in_turn(folding).cycles() if in_turn else op.cycles(folding)))
        return max(busy) / copies(self.graph)

    def _rounded(self, words: Mapping[End, float]) -> dict[End, int]:
        """With what the model may be wrong by, in whole levels of LUT RAM."""
        return {
            end: SHORT * math.ceil((words[end] + stream.beats_per_frame / GRAIN + 1) / SHORT)
            if words.get(end)
            else SHORT
            for end, stream in self.edges.items()
        }

    def _tried(self, depths: Mapping[End, int], *, in_turn: bool = False) -> Pipeline | None:
        """The pipeline with these depths; None where it does not come to its end."""
        try:
            return self._run(depths, in_turn=in_turn)
        except Deadlock:
            return None

    def _unlimited(self, deep: Iterable[End]) -> dict[End, float]:
        return dict.fromkeys(self.edges, SHORT) | dict.fromkeys(deep, math.inf)

    def _run(
        self, depths: Mapping[End, float], interval: float = 0, *, slow: float = math.inf, in_turn: bool = False
    ) -> Pipeline:
        return simulate(self.graph, self.foldings, depths, interval, slow=slow, in_turn=in_turn)
