"""A network, or its first part, several times over: images are dealt out one by one, and what comes out merged in order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..ir.graph import Graph, Node
from ..ir.ops import Deal, Input, Merge, Narrow
from ..ir.ops.base import Operator

DEAL, MERGE = "deal", "merge"


def copied(graph: Graph[Operator], count: int, tail: str | None = None, values: int = 1) -> Graph[Operator]:
    """`count` copies between a `deal` and a `merge`; the graph itself where that is one. Operators are shared.

    tail: a node; it and all behind it are there once, and what they read of the copies is merged before them. values: of
    the pixels that enter in a beat, and are dealt out so; where there are several, each copy begins with a `narrow`.
    """
    if count == 1:
        return graph
    source, *body = graph.nodes
    at = len(body) if tail is None else [node.name for node in body].index(tail)
    pixels = source.op.out_spec
    nodes = [replace(source, op=Input(pixels, values)), Node(DEAL, Deal(pixels, count, values), (source.name,))]
    for copy in range(count):
        names = {node.name: f"copy{copy}.{node.name}" for node in graph}
        if values > 1:
            nodes.append(Node(names[source.name], Narrow(pixels, values), (DEAL,)))
        else:
            names[source.name] = DEAL
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
    if count == 1:
        return
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


def beats(graph: Graph[Operator], count: int, tail: str | None, most: int) -> Iterator[int]:
    """How many pixel values may enter in a beat of `copied`: one; and `most`, where the pixels would else be the slowest
    stream and whole beats make an image."""
    yield 1
    pixels = math.prod(graph.input.op.out_spec.shape)
    if count == 1 or most == 1 or pixels % most:
        return
    streams, copies = [math.prod(graph.output.op.out_spec.shape)], count
    for node in graph.nodes[1:]:
        copies = 1 if node.name == tail else copies
        streams += [math.prod(spec.shape) / copies for spec in node.op.in_specs if not spec.tiled]
    if max(streams) < pixels:
        yield most
