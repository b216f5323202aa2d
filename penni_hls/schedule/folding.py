"""Which folding each operator gets: the slowest stage as fast as the board allows, every other one as cheap as it may be.

For a rate T each stage takes its cheapest foldings that need at most T cycles, cheapest by the sum of their shares of
the board. The smallest T whose sum fits is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from ..ir.graph import Graph, Node
from ..ir.ops.base import Folding, Operator
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


def plan(graph: Graph[Operator], board: Board) -> Schedule:
    """Fold `graph` for `board`. Where nothing fits, the smallest design is returned; its `shortfalls` say what is missing."""
    budget = board.budget.as_dict()
    stages = [_options(stage, budget) for stage in _stages(graph)]
    rates = sorted({option.cycles for stage in stages for option in stage})
    slowest = max(min(option.cycles for option in stage) for stage in stages)
    for rate in (rate for rate in rates if rate >= slowest):
        schedule = _schedule(graph, board, stages, rate)
        have = schedule.total.as_dict()
        if all(have[name] <= limit for name, limit in budget.items()):
            return schedule
    return _schedule(graph, board, stages, rates[-1])


def _schedule(graph: Graph[Operator], board: Board, stages: list[list[_Option]], rate: int) -> Schedule:
    foldings = {node.name: node.op.folding() for node in graph if not node.op.hardware}
    for stage in stages:
        fast_enough = [option for option in stage if option.cycles <= rate]
        foldings |= min(fast_enough, key=lambda option: (option.share, option.cycles)).foldings
    return Schedule(graph, board, foldings, links(graph, foldings))


def _stages(graph: Graph[Operator]) -> list[list[Node[Operator]]]:
    """Nodes that must agree on the stream between them: those that a tiled edge joins."""
    stage_of: dict[str, list[Node[Operator]]] = {}
    for node in graph:
        if not node.op.hardware:
            continue
        joined = [stage_of[name] for name, spec in zip(node.inputs, node.op.in_specs) if spec.tiled]
        stage = [member for group in joined for member in group] + [node]
        stage_of |= {member.name: stage for member in stage}
    return list({id(stage): stage for stage in stage_of.values()}.values())


def _options(stage: list[Node[Operator]], budget: dict[str, float]) -> list[_Option]:
    options = []
    for foldings in _agreeing(stage):
        pairs = [(node.op, foldings[node.name]) for node in stage]
        cost = sum((op.cost(folding) for op, folding in pairs), Resources())
        share = sum(value / budget[name] for name, value in cost.as_dict().items())
        options.append(_Option(foldings, max(op.cycles(folding) for op, folding in pairs), cost, share))
    return options


def _agreeing(stage: list[Node[Operator]]) -> Iterator[dict[str, Folding]]:
    """Every choice of one folding per node in which both ends of each edge within the stage have the same stream."""
    members = {node.name: node for node in stage}
    for chosen in itertools.product(*(node.op.foldings() for node in stage)):
        foldings = dict(zip(members, chosen))
        edges = (
            (members[src].op.outputs(foldings[src])[0], port)
            for node in stage
            for src, port in zip(node.inputs, node.op.inputs(foldings[node.name]))
            if src in members
        )
        if all(out.stream == port.stream for out, port in edges):
            yield foldings
