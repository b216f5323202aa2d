"""Which folding each operator gets: the fewest cycles that the board allows, or a given rate, by the least hardware."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..ir.graph import Graph
from ..ir.images import copies, frames_of
from ..ir.ops.base import Operator
from ..target.boards import Board
from .choice import Choice, fastest, least, smallest
from .links import Sizing, shortest
from .schedule import Prediction, Proof, Schedule
from .stages import Options, options, row

ROUNDING = 0.01  # cycles that the model's floats may be off
ROUNDS = 5  # of choosing, then seeing what FIFOs and waiting make of it
WORTH = 0.01  # of the budget: what FIFOs must leave of their room for another choice to be looked for
GAIN = 0.995  # of the cycles: as few must be hoped for, for a choice to be simulated


def plan(
    graph: Graph[Operator],
    board: Board,
    fps: float | None = None,
    stages: Sequence[Options] | None = None,
    fifos: np.ndarray | None = None,
    below: float = math.inf,
) -> Schedule | None:
    """As `draft`, with what Vitis HLS makes of the C++."""
    found = draft(graph, board, fps, stages, fifos, below)
    return found and found.schedule


def draft(
    graph: Graph[Operator],
    board: Board,
    fps: float | None = None,
    stages: Sequence[Options] | None = None,
    fifos: np.ndarray | None = None,
    below: float = math.inf,
) -> Draft | None:
    """Fold `graph` for `board`. Where nothing fits, the smallest design is returned; its `shortfalls` say what is missing.

    fps: images per second to reach by the least hardware; None: as many as fit. Where they cannot be reached, as many as
    fit. stages: `options` of the graph for the board, where they are known. What is chosen first leaves room for `fifos`
    (resources,), or the shortest ones; the model of the pipeline then says which ones it needs and at what rate it runs,
    and where that is too much, the next choice leaves more. below: None is returned where it will hardly take fewer cycles
    per image.
    """
    stages = options(graph, board.fabric) if stages is None else stages
    wanted, turns = math.floor(board.clock_mhz * 1e6 / fps) if fps else None, copies(graph)
    budget, fifos = row(board.plan_budget), row(shortest(graph)) if fifos is None else fifos
    cycles = turns * wanted if wanted else None  # of a stage that sees an image in `turns`
    fitting: list[Draft] = []
    enough: np.ndarray | None = None  # for FIFOs, of a choice that fits
    last: Draft | None = None
    for _ in range(ROUNDS):
        wins = min([below, *(GAIN * other.cycles for other in fitting if wanted is None)])
        choice = _choose(stages, budget - fifos, cycles, turns * wins)  # before any waiting
        if choice is None:
            break
        last = Draft.of(graph, board, choice, wanted, last)
        if not last.fits:
            fifos = np.maximum(fifos, last.fifos)
        elif wanted is not None and last.cycles <= wanted and last.rtl.fits:
            return last
        else:
            fitting.append(last)
            if cycles is not None:  # operators wait for each other
                cycles = math.floor(cycles * wanted / last.cycles)
            else:
                fifos, enough = np.minimum(fifos, last.fifos), fifos
        if enough is not None and (enough - fifos <= WORTH * budget).all():
            break
    best = _best(fitting)
    if best is None and below < math.inf:
        return None
    return best or Draft.of(graph, board, smallest(stages, budget), wanted, last)


def _choose(stages: Sequence[Options], budget: np.ndarray, cycles: float | None, below: float) -> Choice | None:
    found = None if cycles is None or cycles >= below else least(stages, budget, cycles)
    return found or fastest(stages, budget, below)


@dataclass(frozen=True)
class Draft:
    """A choice with the FIFOs and the rate that the model of the pipeline lets expect."""

    board: Board
    choice: Choice
    sizing: Sizing
    wanted: int | None

    @classmethod
    def of(cls, graph: Graph[Operator], board: Board, choice: Choice, wanted: int | None, near: Draft | None) -> Draft:
        """near: another one of the network, which tells where FIFOs may have to be deep."""
        foldings = {node.name: node.op.folding() for node in graph if not node.op.hardware} | choice.foldings
        return cls(board, choice, Sizing(graph, foldings, bool(near and near.sizing.expected.everywhere)), wanted)

    @property
    def cycles(self) -> int:
        return _cycles(self.sizing, self.sizing.expected.interval)

    @property
    def fifos(self) -> np.ndarray:
        return sum((row(link.cost()) for link in self.sizing.expected.links), np.zeros(len(self.choice.cost)))

    @property
    def fits(self) -> bool:
        return bool((self.choice.cost + self.fifos <= row(self.board.plan_budget)).all())

    @cached_property
    def rtl(self) -> Schedule:
        """With FIFOs that are tried: seldom deeper ones than expected, which may not fit. As if there was no C++."""
        sizing, found, choice = self.sizing, self.sizing.found, self.choice
        spans = {name: (round(begin), round(end)) for name, (begin, end) in found.spans.items()}
        prediction = Prediction(_cycles(sizing, found.interval), found.fill, found.latency, spans)
        gap, turns = choice.gap if math.isfinite(choice.gap) else None, copies(sizing.graph)
        proof = Proof(math.ceil(choice.cycles / turns), math.ceil(choice.bound / turns), gap, self.wanted)
        return Schedule(sizing.graph, self.board, dict(sizing.foldings), sizing.in_rtl(), prediction, proof)

    @cached_property
    def schedule(self) -> Schedule:
        """With the FIFOs and the rate of the C++."""
        cpp = self.sizing.found_in_cpp
        in_hls = Prediction(math.ceil(cpp.interval - ROUNDING), cpp.fill, cpp.latency, {})
        return replace(self.rtl, links=self.sizing.links(), in_hls=in_hls)


def _best(drafts: Sequence[Draft]) -> Draft | None:
    """The fastest that fits as a schedule."""
    best: Draft | None = None
    for draft in sorted(drafts, key=lambda draft: draft.cycles):
        if best is not None and best.rtl.cycles_per_image <= draft.cycles:
            break
        schedule = draft.rtl
        if not schedule.shortfalls and (best is None or schedule.cycles_per_image < best.rtl.cycles_per_image):
            best = draft
    return best


def _cycles(sizing: Sizing, interval: float) -> int:
    """interval: by the model. The first frames may come out faster than the slowest operator takes them: what waited in
    FIFOs."""
    graph, frames = sizing.graph, frames_of(sizing.graph)
    slowest = max(frames[node.name] * node.op.cycles(sizing.foldings[node.name]) for node in graph) / copies(graph)
    return math.ceil(max(interval, slowest) - ROUNDING)
