"""wide_results: the requantizers whose results become those of the network, and may have more bits than other maps."""

from __future__ import annotations

import math

from ..ir.graph import Graph
from ..ir.layers import AvgPool, Clip, GlobalAvgPool, Scale
from ..ir.layers.base import FloatLayer
from .fused import Fused

GROWTH = 15  # bits by which sums may exceed the results of a requantizer


def wide_results(graph: Graph) -> frozenset[str]:
    """The nodes of a fused graph from which every path leads to the output only, and through layers whose operators take
    integers of any width."""
    room: dict[str, int] = {}  # of such nodes: the bits by which what they give may still grow
    for node in reversed(graph.nodes):
        readers = [graph.by_name[name] for name in graph.readers[node.name]]
        left = min((room.get(reader.name, -1) - _growth(reader.op) for reader in readers), default=GROWTH)
        if left >= 0:
            room[node.name] = left
    return frozenset(room)


def _growth(op: FloatLayer) -> int:
    """The bits by which integers behind the layer are wider than before it; more than GROWTH: it takes no wider ones."""
    match op:
        case GlobalAvgPool():
            return math.ceil(math.log2(op.x.pixels))
        case AvgPool():
            return math.ceil(math.log2(op.window.taps))
        case Fused(linear=Scale(), skip=False) | Clip():
            return 0
    return 0 if op.keeps_scale else GROWTH + 1
