"""The folding of each operator: the slowest stage as fast as the board allows, every other one as cheap as possible.

For a rate T each stage takes its cheapest folding that needs at most T cycles, cheapest by the sum of its shares of the
board. The smallest T whose sum fits is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ir.graph import Graph
from ..ir.ops.base import Folding, HardwareOp
from ..target.boards import Board
from ..target.resources import Resources
from .links import links
from .schedule import Schedule


@dataclass(frozen=True)
class _Option:
    foldings: dict[str, Folding]
    cycles: int
    cost: Resources
    share: float


def plan(graph: Graph[HardwareOp], board: Board) -> Schedule:
    """Fold `graph` for `board`. Where nothing fits, returns the smallest design, with `shortfalls`."""
    budget = board.budget.as_dict()
    stages = [_options(graph, names, budget) for names in _stages(graph)]
    rates = sorted({option.cycles for stage in stages for option in stage})
    slowest = max(min(option.cycles for option in stage) for stage in stages)
    for rate in (rate for rate in rates if rate >= slowest):
        schedule = _schedule(graph, board, stages, rate)
        have = schedule.total.as_dict()
        if all(have[name] <= limit for name, limit in budget.items()):
            return schedule
    return _schedule(graph, board, stages, rates[-1])


def _schedule(graph: Graph[HardwareOp], board: Board, stages: list[list[_Option]], rate: int) -> Schedule:
    foldings: dict[str, Folding] = {}
    for stage in stages:
        fast_enough = [option for option in stage if option.cycles <= rate]
        foldings |= min(fast_enough, key=lambda option: (option.share, option.cycles)).foldings
    return Schedule(graph, board, foldings, links(graph, foldings))


def _stages(graph: Graph[HardwareOp]) -> list[list[str]]:
    """Nodes that share q: those that a tile edge joins."""
    stages: list[list[str]] = []
    for node in graph.nodes[1:]:
        if node.op.in_specs[0].tiled:
            next(stage for stage in stages if node.inputs[0] in stage).append(node.name)
        else:
            stages.append([node.name])
    return stages


def _options(graph: Graph[HardwareOp], names: list[str], budget: dict[str, float]) -> list[_Option]:
    ops = [graph.by_name[name].op for name in names]
    options = []
    for last in ops[-1].foldings():
        foldings = {name: Folding(last.q) for name in names[:-1]} | {names[-1]: last}
        if any(foldings[name] not in op.foldings() for name, op in zip(names, ops)):
            continue
        cost = sum((op.cost(foldings[name]) for name, op in zip(names, ops)), Resources())
        share = sum(value / budget[name] for name, value in cost.as_dict().items())
        cycles = max(op.cycles(foldings[name]) for name, op in zip(names, ops))
        options.append(_Option(foldings, cycles, cost, share))
    return options
