"""FIFO depths. A short queue is enough, but in two places; simulation reports how full each one gets.

Where paths meet again: let D be the operator at which all paths to a node's inputs part (its immediate dominator). An
input whose path can hold less than another one's, from D on, gets a FIFO for all that the other can hold. Then it is
never the first to fill: while the node waits for the other input, this one takes what D gives out, until the other path
is full and must give. An operator that reads tiles has no FIFO there; the one before it is deepened instead.
Behind an operator that drops rows: a row of its output. It gives a row as fast as one comes in and then nothing for a
while; what reads it has the whole time for the row, and must not hold up what feeds it meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..ir.graph import Graph, Node
from ..ir.ops.base import Folding, Operator
from ..ir.streams import Stream
from ..target.memory import ram_style
from .schedule import Link

SHORT = 32  # words: what one level of LUT RAM holds
End = tuple[str, int]  # (node, number of its input): the edge that ends there


def links(graph: Graph[Operator], foldings: Mapping[str, Folding]) -> tuple[Link, ...]:
    """Every map edge between two operators, in graph order; edges from the input and tile edges need no FIFO."""
    waits = _waits(graph, foldings)
    result = []
    for node in graph:
        for port, (src, spec) in enumerate(zip(node.inputs, node.op.in_specs)):
            source = graph.by_name[src].op
            if not spec.tiled and source.hardware:
                stream = Stream(spec)
                words = max(waits.get((node.name, port), 0.0) * stream.beats_per_frame, source.burst, 1)
                depth = SHORT * math.ceil(words / SHORT)
                result.append(Link(src, node.name, port, depth, stream.bits, ram_style(depth, stream.bits)))
    return tuple(result)


def _waits(graph: Graph[Operator], foldings: Mapping[str, Folding]) -> dict[End, float]:
    """The part of a frame that the FIFO of an edge must hold while its node waits for another input; 0 where absent."""
    waits: dict[End, float] = {}
    dominators = _dominators(graph)
    for node in graph:
        if len(node.inputs) < 2:
            continue
        parting = dominators[node.name][-2]
        held = _held_since(graph, foldings, parting, node)
        own = [_held(node, foldings), *(0.0 for _ in node.inputs[1:])]
        paths = [held[name] + part for name, part in zip(node.inputs, own)]
        for port, path in enumerate(paths):
            others = max(other for index, other in enumerate(paths) if index != port)
            if others > path:
                end = _fifo_before(graph, node, port)
                waits[end] = max(waits.get(end, 0.0), others)
    return waits


def _held(node: Node[Operator], foldings: Mapping[str, Folding]) -> float:
    """The part of a frame that an operator can take in before it must give out any."""
    return node.op.held_pixels(foldings[node.name]) / node.op.out_spec.pixels


def _held_since(
    graph: Graph[Operator], foldings: Mapping[str, Folding], parting: str, end: Node[Operator]
) -> dict[str, float]:
    """The same of the paths from behind `parting` to each node before `end`: of the path that holds most."""
    held = {parting: 0.0}
    for node in graph:
        if node is end:
            break
        if node.name not in held and any(name in held for name in node.inputs):
            before = max(held[name] for name in node.inputs if name in held)
            held[node.name] = before + _held(node, foldings)
    return held


def _fifo_before(graph: Graph[Operator], node: Node[Operator], port: int) -> End:
    """The edge into input `port`, or where that carries tiles, the next one up the path that has a FIFO."""
    while node.op.in_specs[port].tiled:
        node, port = graph.by_name[node.inputs[port]], 0
    return node.name, port


def _dominators(graph: Graph[Operator]) -> dict[str, tuple[str, ...]]:
    """For each node the nodes that every path from the input to it goes through, in order, itself last."""
    dominators: dict[str, tuple[str, ...]] = {}
    for node in graph:
        common = [dominators[name] for name in node.inputs]
        shared = [name for name in common[0] if all(name in other for other in common[1:])] if common else []
        dominators[node.name] = (*shared, node.name)
    return dominators
