"""never_negative: which maps have no negative values; a Scale of such maps that keeps them so gets the lower bound 0.

Then its requantizer gives an unsigned type, which has one bit more for them.
"""

from __future__ import annotations

from dataclasses import replace

from ..ir.graph import Graph
from ..ir.layers import AvgPool, Clip, GlobalAvgPool, Input, Scale
from ..ir.layers.base import FloatLayer
from .fused import Fused


def bound_scales(graph: Graph) -> Graph:
    """fused graph -> the same with a lower bound of 0 where no value of a Scale can be below it."""
    positive = never_negative(graph)
    nodes = []
    for node in graph:
        op = node.op
        if isinstance(op, Fused) and positive[node.name] and not op.relu and (op.hi is None or op.hi > 0):
            node = replace(node, op=replace(op, lo=0.0))
        nodes.append(node)
    return Graph(tuple(nodes))


def never_negative(graph: Graph) -> dict[str, bool]:
    """For each node of a fused graph: is none of its values negative, whatever the images?"""
    positive: dict[str, bool] = {}
    for node in graph:
        positive[node.name] = _never_negative(node.op, all(positive[name] for name in node.inputs))
    return positive


def _never_negative(op: FloatLayer, reads: bool) -> bool:
    """reads: none of the values that `op` reads is negative."""
    match op:
        case Input(mean=mean):
            return max(mean) <= 0
        case Fused(linear=Scale(gain=gain, offset=offset), recorded=None) if reads:
            return op.relu or bool(gain.min() >= 0 and offset.min() >= 0 and (op.hi is None or op.hi >= 0))
        case Fused(relu=relu):
            return relu
        case Clip(lo=lo):
            return lo is not None and lo >= 0
    return reads and (op.keeps_scale or isinstance(op, AvgPool | GlobalAvgPool))
