"""How many images each operator of a network sees, where copies of a part of it share them."""

from __future__ import annotations

import math

from .graph import Graph
from .ops.base import Operator


def copies(graph: Graph[Operator]) -> int:
    """Images after which everything repeats: 1, or how many copies of the network take turns."""
    return math.lcm(*(math.lcm(node.op.takes, node.op.gives) for node in graph))


def frames_of(graph: Graph[Operator]) -> dict[str, int]:
    """How many frames each node has while `copies` images pass the network, by name."""
    seen = images_of(graph, copies(graph))
    return {node.name: seen[node.name] // max(node.op.takes, node.op.gives) for node in graph}


def images_of(graph: Graph[Operator], images: int) -> dict[str, int]:
    """How many of so many images of the network pass each node, by name."""
    seen: dict[str, int] = {}
    for node in graph:
        if not node.inputs:
            seen[node.name] = images
            continue
        pairs = [(src, graph.reader(node.name, port)) for port, src in enumerate(node.inputs)]
        seen[node.name] = sum(
            graph.by_name[src].op.images_out((seen[src],), number) for src, number in pairs[: node.op.gives]
        )
    return seen
