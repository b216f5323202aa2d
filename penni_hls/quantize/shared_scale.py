"""The steps that several results share: those of the maps which a concatenation joins, where its reader needs one step.

A convolution, pooling and what a Scale multiplies take a step for each channel. A skip connection, bounds and the result
of the network have one, so the requantizers before such a Concat must give the same. Max pooling, upsampling, zero
channels and further concatenations keep the step, so a group reaches through them.
"""

from __future__ import annotations

from ..ir.graph import Graph
from ..ir.layers import AvgPool, Clip, Concat, GlobalAvgPool
from ..passes.align_concats import sources_of
from ..passes.fused import Fused
from ..passes.wide_results import wide_results
from .calibrate import Calibration, observe
from .lower import own_step


def shared_steps(graph: Graph, calibration: Calibration) -> dict[str, float]:
    """The step of each result that belongs to a group, by its node: the largest of the group's own steps.

    graph: after `align_concats`. The batch is run only where there is a Concat.
    """
    groups = _groups(graph)
    if not groups:
        return {}
    members, wide = frozenset().union(*groups), wide_results(graph)
    own = {
        seen.node.name: own_step(seen.node.op, seen.value, calibration.headroom, seen.node.name in wide)
        for seen in observe(graph, calibration)
        if seen.node.name in members
    }
    return {name: max(own[member] for member in group) for group in groups for name in group}


def _groups(graph: Graph) -> list[frozenset[str]]:
    """The nodes whose requantizers must give one step, as disjoint sets."""
    sources, one_step = sources_of(graph), _one_step(graph)
    groups: list[frozenset[str]] = []
    for node in graph:
        if isinstance(node.op, Concat) and node.name in one_step:
            joined = sources[node.name].union(*(group for group in groups if group & sources[node.name]))
            groups = [group for group in groups if not group & joined] + [joined]
    return groups


def _one_step(graph: Graph) -> frozenset[str]:
    """The nodes whose result is read, perhaps behind what keeps its step, as only one step for all channels can be."""
    found = {graph.output.name}
    for node in reversed(graph.nodes):
        match node.op:
            case Clip(lo=lo, hi=hi) if lo or hi is not None:
                found.update(node.inputs)
            case Fused(skip=skip):
                found.update(node.inputs[1:] if skip else ())
            case op if node.name in found and (op.keeps_scale or isinstance(op, AvgPool | Clip | GlobalAvgPool)):
                found.update(node.inputs)
    return frozenset(found)
