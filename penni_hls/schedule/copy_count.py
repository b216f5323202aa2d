"""How many copies of a network, or of its first part, are best on a board.

First a bound, whether the cheapest options that are fast enough fit at all. Copies are alike, so they share the options of
one, and one is folded within its part of the board, by the operators' own cycles and costs; where a part of the network is
there once, all are folded together. What promises more than the best so far is planned as a whole. The model of the
pipeline has the last word: FIFOs behind `deal` hold most of an image each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..ir.graph import Graph
from ..ir.ops import Deal, Merge, Narrow
from ..ir.ops.base import Folding, Operator
from ..ir.ops.merge import MOST
from ..target.boards import Board
from .choice import fastest, least
from .copies import beats, copied, tails
from .folding import Draft, draft
from .links import shortest
from .schedule import Schedule
from .stages import Known, Options, options, row

WORTH = 0.02  # of the rate, or of the hardware: what a further copy must bring

Part = tuple[int, str | None, int]  # copies, where what is there once begins, pixel values in a beat: see `copied`
Planned = tuple[Draft, tuple[Options, ...]]


def plan_copies(
    graph: Graph[Operator], board: Board, fps: float | None = None, count: int | None = None, values: int = 1
) -> tuple[Schedule, tuple[Options, ...]]:
    """Fold `count` copies of `graph` for `board`, as `plan` does; None: as many as give the highest rate, or reach `fps`
    by the least hardware. values: of the pixels that the stream from the board has in a beat: so many may be dealt out to
    copies at once. -> the schedule, and the options of its graph."""
    search = _Search(graph, board, fps, values)
    found, stages = search.best() if count is None else search.best_of(count)
    return found.schedule, stages


def _better(new: Schedule, old: Schedule) -> bool:
    if new.shortfalls or (new.too_slow and not old.too_slow):
        return False
    if old.shortfalls or old.proof.wanted is None or old.too_slow:
        return new.cycles_per_image < (1 - WORTH) * old.cycles_per_image or new.fits > old.fits
    return _share(row(new.total), new.board) < (1 - WORTH) * _share(row(old.total), old.board)


def _share(cost: np.ndarray, board: Board) -> float:
    """The sum of shares of the budget, of what the board has at all."""
    budget = row(board.plan_budget)
    there = budget > 0
    return float((cost[there] / budget[there]).sum())


@dataclass(frozen=True)
class _Search:
    graph: Graph[Operator]
    board: Board
    fps: float | None
    values: int = 1
    known: Known = field(default_factory=dict)

    def parts(self, copies: int) -> Iterator[Part]:
        """What of the network may be there in so many copies, and how pixels may enter it."""
        for tail in tails(self.graph, copies):
            yield from ((copies, tail, values) for values in beats(self.graph, copies, tail, self.values))

    def best_of(self, count: int) -> Planned:
        best, *others = (self.planned(part) for part in self.parts(count))
        return next((other for other in others if _better(other[0].rtl, best[0].rtl)), best)

    def best(self) -> Planned:
        best = self.planned((1, None, 1))
        alone, stages = best[0].rtl, best[1]
        if alone.shortfalls:  # one is too large already
            return best
        cheaper = self.cheaper(alone)
        for part, estimate in self.promising(alone, stages):
            reached = _share(row(best[0].rtl.total), self.board) if cheaper else best[0].rtl.cycles_per_image
            if estimate >= (1 - WORTH) * reached:
                continue
            other = self.planned(part, alone, math.inf if cheaper else (1 - WORTH) * reached)
            if other[0] is not None and _better(other[0].rtl, best[0].rtl):
                best = other
        return best

    def planned(self, part: Part, alone: Schedule | None = None, below: float = math.inf) -> Planned:
        """alone: a schedule of one copy, where there is one. below: as in `plan`."""
        network = copied(self.graph, *part)
        stages = options(network, self.board.fabric, self.known)
        fifos = None if alone is None else self._fifos(part, alone)
        return draft(network, self.board, self.fps, stages, fifos, below), stages

    def _fifos(self, part: Part, alone: Schedule) -> np.ndarray:
        """What FIFOs cost, about: each copy has those of one."""
        copies, tail, _ = part
        names = [node.name for node in self.graph]
        once = set() if tail is None else set(names[names.index(tail) :])
        costs = [row(link.cost()) * (1 if link.dst in once else copies) for link in alone.links]
        return np.maximum(sum(costs), row(shortest(copied(self.graph, *part))))

    @staticmethod
    def cheaper(alone: Schedule) -> bool:
        """Whether less hardware is looked for than that of one copy, not a higher rate."""
        return alone.proof.wanted is not None and not alone.too_slow

    def promising(self, alone: Schedule, stages: tuple[Options, ...]) -> Iterator[tuple[Part, float]]:
        """What may be better than `alone`, a schedule of one copy, the best first, each with its cycles, or its hardware, at
        least. stages: options of one copy."""
        parts = [part for copies in range(2, MOST + 1) for part in self.parts(copies)]
        estimate = self._hardware if self.cheaper(alone) else self._cycles
        found = {part: estimate(alone, stages, part) for part in parts}
        while found:
            best = next(iter(found))  # of what is about as good, the fewest copies
            for part in found:
                if found[part] < (1 - WORTH) * found[best]:
                    best = part
            if (least_found := found.pop(best)) < math.inf:
                yield best, least_found

    def _cycles(self, alone: Schedule, stages: tuple[Options, ...], part: Part) -> float:
        """Cycles per image, about; infinite where they are no fewer."""
        copies, tail, _ = part
        limit = (1 - WORTH) * alone.cycles_per_image
        budget = row(self.board.plan_budget) - self._fifos(part, alone)
        if tail is None:
            cost, least_cycles = self._ends(part)
            budget = (budget - cost) / copies
        else:
            stages, least_cycles = self._together(part), 0.0
        if least_cycles > limit or least(stages, budget, copies * limit) is None:
            return math.inf
        choice = fastest(stages, budget)
        return max(least_cycles, choice.cycles / copies, alone.proof.wanted or 0) if choice else math.inf

    def _hardware(self, alone: Schedule, stages: tuple[Options, ...], part: Part) -> float:
        """The share of the board that the rate asked for takes at least; infinite where it is no less."""
        copies, tail, _ = part
        limit, least_cycles, times, cost = copies * (alone.proof.wanted or 0), 0.0, 1, row(shortest(alone.graph))
        if tail is None:
            (cost, least_cycles), times = self._ends(part), copies
            cost = cost + row(shortest(copied(self.graph, *part)))
        else:
            stages = self._together(part)
        fast = [stage.cost[stage.cycles <= limit] for stage in stages]
        if copies * least_cycles > limit or not all(map(len, fast)):
            return math.inf
        found = _share(cost, self.board)
        found += times * sum(min(_share(option, self.board) for option in part) for part in fast)
        return found if found < (1 - WORTH) * _share(row(alone.total), self.board) else math.inf

    def _ends(self, part: Part) -> tuple[np.ndarray, float]:
        """What copies need beside themselves and FIFOs: the cost of `deal`, `narrow` and `merge`; cycles per image."""
        network = copied(self.graph, *part)
        ends = [node.op for node in network if isinstance(node.op, Deal | Narrow | Merge)]
        return sum(row(op.cost(Folding())) for op in ends), max(op.cycles(Folding()) for op in ends) / part[0]

    def _together(self, part: Part) -> tuple[Options, ...]:
        """Options of all copies and of what is there once."""
        return options(copied(self.graph, *part), self.board.fabric, self.known)
