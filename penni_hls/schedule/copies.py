"""A network, or its first part, several times over: images are dealt out one by one, and what comes out merged in order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..ir.graph import Graph, Node
from ..ir.ops import Deal, Merge
from ..ir.ops.base import Operator
from ..ir.ops.merge import MOST
from ..target.boards import Board
from .choice import fastest, least
from .links import shortest
from .stages import Known, options, row

DEAL, MERGE = "deal", "merge"
WORTH = 0.02  # of the rate: what a further copy must bring


def copied(graph: Graph[Operator], count: int, tail: str | None = None) -> Graph[Operator]:
    """`count` copies between a `deal` and a `merge`; the graph itself where that is one. Operators are shared.

    tail: a node; it and all behind it are there once, and what they read of the copies is merged before them.
    """
    if count == 1:
        return graph
    source, *body = graph.nodes
    at = len(body) if tail is None else [node.name for node in body].index(tail)
    nodes = [source, Node(DEAL, Deal(source.op.out_spec, count), (source.name,))]
    for copy in range(count):
        names = {source.name: DEAL} | {node.name: f"copy{copy}.{node.name}" for node in body}
        nodes += [replace(n, name=names[n.name], inputs=tuple(names[name] for name in n.inputs)) for n in body[:at]]
    crossing = [graph.output.name] if tail is None else _crossing(body[:at], body[at:])
    merged = {name: MERGE if len(crossing) == 1 else f"{MERGE}.{name}" for name in crossing}
    for name, merge in merged.items():
        results = tuple(f"copy{copy}.{name}" for copy in range(count))
        nodes.append(Node(merge, Merge(graph.by_name[name].op.out_spec, count), results))
    nodes += [replace(n, inputs=tuple(merged.get(name, name) for name in n.inputs)) for n in body[at:]]
    return Graph(tuple(nodes))


def _crossing(head: Iterable[Node[Operator]], tail: Iterable[Node[Operator]]) -> list[str]:
    """What the tail reads of the head, once for each input that does."""
    there = {node.name for node in head}
    return [name for node in tail for name in node.inputs if name in there]


def tails(graph: Graph[Operator], count: int) -> Iterator[str | None]:
    """Where the part that is there once may begin: none; or the first place behind which every map is small enough for one
    stream to be no slower than those of `count` copies are."""
    yield None
    source, *body = graph.nodes
    values = {node.name: math.prod(node.op.out_spec.shape) for node in graph}
    maps = [name for node in body for name, spec in zip(node.inputs, node.op.in_specs) if not spec.tiled]
    limit = max(values[name] for name in maps) / count
    for at in range(1, len(body)):
        read = _crossing(body[:at], body[at:])
        streams = {name for node in body[at:] for name, spec in zip(node.inputs, node.op.in_specs) if not spec.tiled}
        whole = len(set(read)) == len(read) and set(read) <= streams and source.name not in streams
        if whole and max(values[name] for name in streams) <= limit:
            yield body[at].name
            return


def best_copies(
    graph: Graph[Operator], board: Board, fps: float | None = None, count: int | None = None
) -> tuple[int, str | None]:
    """How many copies, and of what part (see `copied`), give the highest rate on `board`, or reach `fps` by the least
    hardware; by the operators' own cycles and costs and the shortest FIFOs. count: so many copies."""
    if count == 1:
        return 1, None
    best, value = (count or 1, None), float("inf")
    known: Known = {}
    whole = row(board.budget)
    for copies in range(1, MOST + 1) if count is None else (count,):
        for tail in tails(graph, copies) if copies > 1 else (None,):
            network = copied(graph, copies, tail)
            stages, budget = options(network, board.fabric, known), whole - row(shortest(network))
            if fps is None:
                choice = fastest(stages, budget)
                found = choice.cycles / copies if choice else value
            else:
                choice = least(stages, budget, copies * board.clock_mhz * 1e6 / fps)
                found = float((choice.cost[whole > 0] / whole[whole > 0]).sum()) if choice else value
            if found < (1 - WORTH) * value:
                best, value = (copies, tail), found
    return best
