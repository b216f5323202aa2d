"""A network several times over: its images are dealt out one by one, and the results merged in order."""

from __future__ import annotations

from dataclasses import replace

from ..ir.graph import Graph, Node
from ..ir.ops import Deal, Merge
from ..ir.ops.base import Operator
from ..ir.ops.merge import MOST
from ..target.boards import Board
from .choice import fastest, least
from .links import shortest
from .stages import options, row

DEAL, MERGE = "deal", "merge"
WORTH = 0.02  # of the rate: what a further copy must bring


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


def best_copies(graph: Graph[Operator], board: Board, fps: float | None = None) -> int:
    """How many copies give the highest rate on `board`, or reach `fps` by the least hardware; by the operators' own cycles
    and costs and the shortest FIFOs."""
    best, value = 1, float("inf")
    for count in range(1, MOST + 1):
        network = copied(graph, count)
        stages, whole = options(network, board.fabric), row(board.budget)
        budget = whole - row(shortest(network))
        if fps is None:
            choice = fastest(stages, budget)
            found = choice.cycles / count if choice else value
        else:
            choice = least(stages, budget, count * board.clock_mhz * 1e6 / fps)
            found = float((choice.cost[whole > 0] / whole[whole > 0]).sum()) if choice else value
        if found < (1 - WORTH) * value:
            best, value = count, found
    return best
