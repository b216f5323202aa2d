"""What other rates and other boards would take, by the operators' own cycles and costs: no network is simulated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..ir.graph import Graph
from ..ir.images import copies
from ..ir.ops.base import Operator
from ..target.boards import Board
from ..target.fabric import Fabric
from ..target.resources import Resources
from .choice import fastest, least
from .links import shortest
from .schedule import Schedule
from .stages import RESOURCES, Options, options, row

RATES = 4  # points of a front per doubling of the rate
DOUBLINGS = (-2, 1)  # from a quarter of the rate to twice of it
PLENTY = 1e6  # times a board: room for anything


@dataclass(frozen=True)
class Point:
    """The least hardware found for a rate. fits: the budget of the board."""

    cycles: int
    needed: Resources
    fits: bool


def front(schedule: Schedule, stages: Sequence[Options]) -> tuple[Point, ...]:
    """The least hardware at rates around that of `schedule`, fastest first; FIFOs as deep as there. stages: `options` of
    its graph. Where the budget does not suffice: what the rate would need, by the sum of shares of the board."""
    budget = row(schedule.board.plan_budget)
    fifos = sum((row(link.cost()) for link in schedule.links), np.zeros(len(budget)))
    slowest = max(int(stage.cycles.min()) for stage in stages)
    low, high = DOUBLINGS
    turns = schedule.copies
    found: dict[int, Point] = {}
    for step in range(RATES * high, RATES * low - 1, -1):
        cycles = max(slowest, int(turns * schedule.proof.cycles * 2 ** (-step / RATES)))
        fitting = least(stages, budget - fifos, cycles)
        choice = fitting or least(stages, PLENTY * budget, cycles)
        if choice:
            needed = Resources(**dict(zip(RESOURCES, (choice.cost + fifos).tolist())))
            point = Point(math.ceil(choice.cycles / turns), needed, fitting is not None)
            found.setdefault(point.cycles, point)
    return tuple(found[cycles] for cycles in sorted(found))


def boards_that_fit(
    graph: Graph[Operator], boards: Iterable[Board], fps: float | None = None
) -> Iterator[tuple[Board, int]]:
    """The boards on which the network is estimated to fit, each with its cycles per image there. fps: at least so many
    images per second."""
    fifos = row(shortest(graph))
    known: dict[Fabric, tuple[Options, ...]] = {}
    for board in boards:
        if board.fabric not in known:
            known[board.fabric] = options(graph, board.fabric)
        choice = fastest(known[board.fabric], row(board.plan_budget) - fifos)
        cycles = math.ceil(choice.cycles / copies(graph)) if choice else math.inf
        if choice and (fps is None or board.clock_mhz * 1e6 >= fps * cycles):
            yield board, cycles
