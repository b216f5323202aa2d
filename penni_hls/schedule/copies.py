"""A network several times over: its images are dealt out one by one, and the results merged in order.

Copies are alike, so they share the options of one, and each may use its part of the board. How many are best: first a
bound, whether the cheapest options that are fast enough fit at all; then one copy is folded within its part, by the
operators' own cycles and costs; what promises enough is planned as a whole. The model of the pipeline has the last word:
FIFOs behind `deal` hold most of an image each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..ir.graph import Graph, Node
from ..ir.ops import Deal, Merge
from ..ir.ops.base import Folding, Operator
from ..ir.ops.merge import MOST
from ..target.boards import Board
from .choice import fastest, least
from .folding import plan
from .links import shortest
from .schedule import Schedule
from .stages import Known, Options, options, row

DEAL, MERGE = "deal", "merge"
WORTH = 0.02  # of the rate, or of the hardware: what a further copy must bring


def copied(graph: Graph[Operator], count: int) -> Graph[Operator]:
    """`count` copies between a `deal` and a `merge`; the graph itself where that is one. Operators are shared."""
    if count == 1:
        return graph
    source, *body = graph.nodes
    nodes = [source, Node(DEAL, Deal(source.op.out_spec, count), (source.name,))]
    for copy in range(count):
        names = {source.name: DEAL} | {node.name: f"copy{copy}.{node.name}" for node in body}
        nodes += [replace(n, name=names[n.name], inputs=tuple(names[name] for name in n.inputs)) for n in body]
    results = tuple(f"copy{copy}.{graph.output.name}" for copy in range(count))
    return Graph((*nodes, Node(MERGE, Merge(graph.output.op.out_spec, count), results)))


def plan_copies(
    graph: Graph[Operator], board: Board, fps: float | None = None, count: int | None = None
) -> tuple[Schedule, tuple[Options, ...]]:
    """Fold `count` copies of `graph` for `board`, as `plan` does; None: as many as give the highest rate, or reach `fps`
    by the least hardware. -> the schedule, and the options of its graph."""
    known: Known = {}

    def planned(copies: int) -> tuple[Schedule, tuple[Options, ...]]:
        network = copied(graph, copies)
        stages = options(network, board.fabric, known)
        return plan(network, board, fps, stages), stages

    best = planned(count or 1)
    if count is not None or best[0].shortfalls:  # one is too large already
        return best
    for copies in _promising(graph, best[1], best[0]):
        other = planned(copies)
        if _better(other[0], best[0]):
            return other
    return best


def _better(new: Schedule, old: Schedule) -> bool:
    """old: fits, at some rate at least."""
    if new.shortfalls or (new.too_slow and not old.too_slow):
        return False
    if old.proof.wanted is None or old.too_slow:
        return new.cycles_per_image < (1 - WORTH) * old.cycles_per_image or new.fits > old.fits
    return _share(row(new.total), new.board) < (1 - WORTH) * _share(row(old.total), old.board)


def _share(cost: np.ndarray, board: Board) -> float:
    """The sum of shares of the budget."""
    return float((cost / row(board.budget)).sum())


def _promising(graph: Graph[Operator], stages: Sequence[Options], alone: Schedule) -> Iterator[int]:
    """Counts of copies that may be better than `alone`, a schedule of one, the best first. stages: options of one."""
    cheaper = alone.proof.wanted is not None and not alone.too_slow
    estimate = _hardware if cheaper else _cycles
    found = {copies: estimate(graph, stages, alone, copies) for copies in range(2, MOST + 1)}
    while found:
        best = min(found)  # of what is about as good, the fewest copies
        for copies in found:
            if found[copies] < (1 - WORTH) * found[best]:
                best = copies
        if found.pop(best) < math.inf:
            yield best


def _ends(graph: Graph[Operator], copies: int) -> tuple[np.ndarray, float]:
    """What copies need beside themselves: the cost of `deal`, `merge` and the shortest FIFOs; cycles per image."""
    network = copied(graph, copies)
    ends = (network.by_name[DEAL].op, network.output.op)
    cost = sum((row(op.cost(Folding())) for op in ends), row(shortest(network)))
    return cost, max(op.cycles(Folding()) for op in ends) / copies


def _cycles(graph: Graph[Operator], stages: Sequence[Options], alone: Schedule, copies: int) -> float:
    """Cycles per image, about; infinite where they are no fewer."""
    cost, least_cycles = _ends(graph, copies)
    part = (row(alone.board.budget) - cost) / copies
    limit = (1 - WORTH) * alone.cycles_per_image
    if least_cycles > limit or least(stages, part, copies * limit) is None:
        return math.inf
    choice = fastest(stages, part)
    return max(least_cycles, choice.cycles / copies, alone.proof.wanted or 0) if choice else math.inf


def _hardware(graph: Graph[Operator], stages: Sequence[Options], alone: Schedule, copies: int) -> float:
    """The share of the board that the rate asked for takes at least; infinite where it is no less."""
    cost, least_cycles = _ends(graph, copies)
    limit, budget = copies * (alone.proof.wanted or 0), row(alone.board.budget)
    fast = [stage.cost[stage.cycles <= limit] for stage in stages]
    if copies * least_cycles > limit or not all(map(len, fast)):
        return math.inf
    found = _share(cost, alone.board) + copies * sum(float((part / budget).sum(1).min()) for part in fast)
    return found if found < (1 - WORTH) * _share(row(alone.total), alone.board) else math.inf
