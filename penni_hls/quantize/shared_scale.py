"""The steps that several results share: those of the maps which a concatenation joins.

A Concat has one type and one step, so the requantizers before it must give the same. Max pooling, upsampling, zero channels and
further concatenations keep the step, so a group reaches through them.
"""

from __future__ import annotations

from ..ir.graph import Graph
from ..ir.layers import Concat
from ..passes.align_concats import sources_of
from .calibrate import Calibration, observe
from .lower import own_step


def shared_steps(graph: Graph, calibration: Calibration) -> dict[str, float]:
    """The step of each result that belongs to a group, by its node: the largest of the group's own steps.

    graph: after `align_concats`. The batch is run only where there is a Concat.
    """
    groups = _groups(graph)
    if not groups:
        return {}
    members = frozenset().union(*groups)
    own = {
        seen.node.name: own_step(seen.node.op, seen.value, calibration.headroom)
        for seen in observe(graph, calibration)
        if seen.node.name in members
    }
    return {name: max(own[member] for member in group) for group in groups for name in group}


def _groups(graph: Graph) -> list[frozenset[str]]:
    """The nodes whose requantizers must give one step, as disjoint sets."""
    sources = sources_of(graph)
    groups: list[frozenset[str]] = []
    for node in graph:
        if isinstance(node.op, Concat):
            joined = sources[node.name].union(*(group for group in groups if group & sources[node.name]))
            groups = [group for group in groups if not group & joined] + [joined]
    return groups
