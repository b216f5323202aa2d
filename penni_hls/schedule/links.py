"""FIFO depths. A short FIFO is enough except in two places; simulation reports how full each one gets.

On a skip connection: as deep as everything that its sibling path can hold. Then the skip FIFO is never the first to
fill and never stalls the fork: no deadlock by construction, and no wait in the steady state.
After an operator that drops rows: one row of its output. It emits a row as fast as its input arrives and then nothing
for a while; its reader has all that time for the row, and must not stall the operator's source meanwhile.
"""

from __future__ import annotations

import math

from ..ir.graph import Graph, Node
from ..ir.ops.base import Folding, HardwareOp
from ..ir.streams import word_bits
from .schedule import Link

SHORT = 32  # words: one level of LUT RAM


def links(graph: Graph[HardwareOp], foldings: dict[str, Folding]) -> tuple[Link, ...]:
    """Every map edge between two operators, in graph order; edges from the input and tile edges need no FIFO."""
    result = []
    for node in graph.nodes[1:]:
        depths = [max(pair) for pair in zip(_depths(graph, node, foldings), _bursts(graph, node))]
        for port, (src, spec) in enumerate(zip(node.inputs, node.op.in_specs)):
            if not spec.tiled and src != graph.input.name:
                result.append(Link(src, node.name, port, depths[port], word_bits(spec, 1)))
    return tuple(result)


def _depths(graph: Graph[HardwareOp], node: Node[HardwareOp], foldings: dict[str, Folding]) -> list[int]:
    if len(node.inputs) < 2:
        return [SHORT] * len(node.inputs)
    main, skip = (_path(graph, name) for name in node.inputs)
    fork = next(name for name in main if name in skip)
    pixels = 0.0
    for name in (node.name, *main[: main.index(fork)]):
        member = graph.by_name[name]
        pixels += member.op.held_pixels(foldings[name]) * node.op.out_spec.pixels / member.op.out_spec.pixels
    channels = node.op.out_spec.shape[2]
    return [SHORT, SHORT * math.ceil(pixels * channels / SHORT)]


def _bursts(graph: Graph[HardwareOp], node: Node[HardwareOp]) -> list[int]:
    """For each input, the words that arrive in one burst before a pause, rounded up to whole memories of `SHORT`."""
    bursts = (0 if name == graph.input.name else graph.by_name[name].op.burst for name in node.inputs)
    return [SHORT * math.ceil(burst / SHORT) for burst in bursts]


def _path(graph: Graph[HardwareOp], name: str) -> list[str]:
    """From a node back to the input, along first inputs."""
    path = [name]
    while graph.by_name[path[-1]].inputs:
        path.append(graph.by_name[path[-1]].inputs[0])
    return path
