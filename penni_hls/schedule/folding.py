"""Which folding each operator gets: the fewest cycles that the board allows, or a given rate, by the least hardware."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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


def plan(
    graph: Graph[Operator], board: Board, fps: float | None = None, stages: Sequence[Options] | None = None
) -> Schedule:
    """Fold `graph` for `board`. Where nothing fits, the smallest design is returned; its `shortfalls` say what is missing.

    fps: images per second to reach by the least hardware; None: as many as fit. Where they cannot be reached, as many as
    fit. stages: `options` of the graph for the board, where they are known. What is chosen first leaves room for the
    shortest FIFOs; the model of the pipeline then says which ones it needs and at what rate it runs, and where that is
    too much, the next choice leaves more.
    """
    stages = options(graph, board.fabric) if stages is None else stages
    wanted, turns = math.floor(board.clock_mhz * 1e6 / fps) if fps else None, copies(graph)
    budget, fifos = row(board.budget), row(shortest(graph))
    cycles = turns * wanted if wanted else None  # of a stage that sees an image in `turns`
    reached: _Planned | None = None
    enough: np.ndarray | None = None  # for FIFOs, of a choice that fits
    choice: Choice | None = None
    for _ in range(ROUNDS):
        choice = _choose(stages, budget - fifos, cycles, choice)
        if choice is None:
            break
        planned = _Planned.of(graph, board, choice, wanted)
        schedule = planned.schedule
        needed = sum((row(link.cost()) for link in schedule.links), np.zeros(len(fifos)))
        if schedule.shortfalls:
            fifos = np.maximum(fifos, needed)
        elif wanted is not None and schedule.cycles_per_image <= wanted:
            return planned.complete()
        else:
            if reached is None or schedule.cycles_per_image < reached.schedule.cycles_per_image:
                reached = planned
            if cycles is not None:  # operators wait for each other
                cycles = math.floor(cycles * wanted / schedule.cycles_per_image)
            else:
                fifos, enough = np.minimum(fifos, needed), fifos
        if enough is not None and (fifos >= WORTH * enough).all():
            break
    return (reached or _Planned.of(graph, board, smallest(stages, budget), wanted)).complete()


def _choose(
    stages: Sequence[Options], budget: np.ndarray, cycles: float | None, before: Choice | None
) -> Choice | None:
    """before: what was chosen within a budget that is not much different."""
    found = None if cycles is None else least(stages, budget, cycles)
    return found or fastest(stages, budget, None if before is None else before.cycles)


@dataclass(frozen=True)
class _Planned:
    """schedule: with FIFOs that may not be deep enough for the C++."""

    schedule: Schedule
    sizing: Sizing

    @classmethod
    def of(cls, graph: Graph[Operator], board: Board, choice: Choice, wanted: int | None) -> _Planned:
        foldings = {node.name: node.op.folding() for node in graph if not node.op.hardware} | choice.foldings
        sizing = Sizing(graph, foldings)
        return cls(_schedule(board, choice, sizing, wanted), sizing)

    def complete(self) -> Schedule:
        return replace(self.schedule, links=self.sizing.links())


def _schedule(board: Board, choice: Choice, sizing: Sizing, wanted: int | None) -> Schedule:
    graph, foldings, found = sizing.graph, sizing.foldings, sizing.found
    spans = {name: (round(pairs[0][0]), round(pairs[0][1])) for name, pairs in found.spans.items() if name in foldings}
    turns = copies(graph)
    # The first frames may come out faster than the slowest operator takes them: what waited in FIFOs.
    frames = frames_of(graph)
    slowest = max(frames[node.name] * node.op.cycles(foldings[node.name]) for node in graph) / turns
    prediction = Prediction(math.ceil(max(found.interval, slowest) - ROUNDING), found.fill, found.latency, spans)
    gap = choice.gap if math.isfinite(choice.gap) else None
    proof = Proof(math.ceil(choice.cycles / turns), math.ceil(choice.bound / turns), gap, wanted)
    return Schedule(graph, board, dict(foldings), sizing.in_rtl(), prediction, proof)
