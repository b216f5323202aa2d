"""Which folding each operator gets: the fewest cycles that the board allows, or a given rate, by the least hardware."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
WORTH = 0.98  # of the room for FIFOs: less than this must do for another choice to be looked for
GAIN = 0.995  # of the cycles: as few must be hoped for, for a choice to be simulated


def plan(
    graph: Graph[Operator],
    board: Board,
    fps: float | None = None,
    stages: Sequence[Options] | None = None,
    fifos: np.ndarray | None = None,
    below: float = math.inf,
) -> Schedule | None:
    """Fold `graph` for `board`. Where nothing fits, the smallest design is returned; its `shortfalls` say what is missing.

    fps: images per second to reach by the least hardware; None: as many as fit. Where they cannot be reached, as many as
    fit. stages: `options` of the graph for the board, where they are known. What is chosen first leaves room for `fifos`
    (resources,), or the shortest ones; the model of the pipeline then says which ones it needs and at what rate it runs,
    and where that is too much, the next choice leaves more. below: None is returned where it will hardly take fewer cycles
    per image.
    """
    stages = options(graph, board.fabric) if stages is None else stages
    wanted, turns = math.floor(board.clock_mhz * 1e6 / fps) if fps else None, copies(graph)
    budget, fifos = row(board.budget), row(shortest(graph)) if fifos is None else fifos
    cycles = turns * wanted if wanted else None  # of a stage that sees an image in `turns`
    fitting: list[_Draft] = []
    enough: np.ndarray | None = None  # for FIFOs, of a choice that fits
    draft: _Draft | None = None
    for _ in range(ROUNDS):
        choice = _choose(stages, budget - fifos, cycles)
        if choice is None:
            break
        wins = min([below, *(GAIN * draft.cycles for draft in fitting if wanted is None)])
        if choice.cycles >= turns * wins:  # before any waiting
            break
        draft = _Draft.of(graph, board, choice, wanted, draft)
        if not draft.fits:
            fifos = np.maximum(fifos, draft.fifos)
        elif wanted is not None and draft.cycles <= wanted and (schedule := draft.schedule()).fits:
            return schedule
        else:
            fitting.append(draft)
            if cycles is not None:  # operators wait for each other
                cycles = math.floor(cycles * wanted / draft.cycles)
            else:
                fifos, enough = np.minimum(fifos, draft.fifos), fifos
        if enough is not None and (fifos >= WORTH * enough).all():
            break
    best = _best(fitting)
    if best is None and below < math.inf:
        return None
    return best or _Draft.of(graph, board, smallest(stages, budget), wanted, draft).schedule()


def _choose(stages: Sequence[Options], budget: np.ndarray, cycles: float | None) -> Choice | None:
    found = None if cycles is None else least(stages, budget, cycles)
    return found or fastest(stages, budget)


@dataclass(frozen=True)
class _Draft:
    """A choice with the FIFOs and the rate that the model of the pipeline lets expect."""

    board: Board
    choice: Choice
    sizing: Sizing
    wanted: int | None

    @classmethod
    def of(
        cls, graph: Graph[Operator], board: Board, choice: Choice, wanted: int | None, near: _Draft | None
    ) -> _Draft:
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
        return bool((self.choice.cost + self.fifos <= row(self.board.budget)).all())

    def schedule(self) -> Schedule:
        """With FIFOs that are tried: seldom deeper ones than expected, which may not fit."""
        sizing, found, choice = self.sizing, self.sizing.found, self.choice
        spans = {
            n: (round(pairs[0][0]), round(pairs[0][1])) for n, pairs in found.spans.items() if n in sizing.foldings
        }
        prediction = Prediction(_cycles(sizing, found.interval), found.fill, found.latency, spans)
        gap, turns = choice.gap if math.isfinite(choice.gap) else None, copies(sizing.graph)
        proof = Proof(math.ceil(choice.cycles / turns), math.ceil(choice.bound / turns), gap, self.wanted)
        links, cpp = sizing.links(), sizing.found_in_cpp
        in_hls = Prediction(math.ceil(cpp.interval - ROUNDING), cpp.fill, cpp.latency, {})
        return Schedule(sizing.graph, self.board, dict(sizing.foldings), links, prediction, proof, in_hls)


def _best(drafts: Sequence[_Draft]) -> Schedule | None:
    """The fastest that fits as a schedule."""
    best: Schedule | None = None
    for draft in sorted(drafts, key=lambda draft: draft.cycles):
        if best is not None and best.cycles_per_image <= draft.cycles:
            break
        schedule = draft.schedule()
        if not schedule.shortfalls and (best is None or schedule.cycles_per_image < best.cycles_per_image):
            best = schedule
    return best


def _cycles(sizing: Sizing, interval: float) -> int:
    """interval: by the model. The first frames may come out faster than the slowest operator takes them: what waited in
    FIFOs."""
    graph, frames = sizing.graph, frames_of(sizing.graph)
    slowest = max(frames[node.name] * node.op.cycles(sizing.foldings[node.name]) for node in graph) / copies(graph)
    return math.ceil(max(interval, slowest) - ROUNDING)
