"""FIFO depths. A short queue everywhere; beside a residual one that holds all that its sibling path can.

Then the residual is never the first to fill, so the fork is never stopped by it: no deadlock by construction, and no wait
in the steady state. Simulation reports how full each one gets.
"""

from __future__ import annotations

import math

from ..graph import Graph, Node
from ..ops.base import Folding, HardwareOp
from ..ops.stream import word_bits
from .schedule import Link, held_pixels

SHORT = 32  # words: what one level of LUT RAM holds


def links(graph: Graph[HardwareOp], foldings: dict[str, Folding]) -> tuple[Link, ...]:
    """Every map edge between two operators, in graph order; edges from the input and tile edges need no FIFO."""
    result = []
    for node in graph.nodes[1:]:
        depths = _depths(graph, node, foldings)
        for port, (src, spec) in enumerate(zip(node.inputs, node.op.in_specs)):
            if not spec.tiled and src != graph.input.name:
                result.append(Link(src, node.name, port, depths[port], word_bits(spec, 1)))
    return tuple(result)


def _depths(graph: Graph[HardwareOp], node: Node[HardwareOp], foldings: dict[str, Folding]) -> list[int]:
    if len(node.inputs) < 2:
        return [SHORT] * len(node.inputs)
    main, residual = (_path(graph, name) for name in node.inputs)
    fork = next(name for name in main if name in residual)
    pixels = 0.0
    for name in (node.name, *main[: main.index(fork)]):
        member = graph.by_name[name]
        pixels += held_pixels(member, foldings[name]) * node.op.out_spec.pixels / member.op.out_spec.pixels
    channels = node.op.out_spec.shape[2]
    return [SHORT, SHORT * math.ceil(pixels * channels / SHORT)]


def _path(graph: Graph[HardwareOp], name: str) -> list[str]:
    """From a node back to the input, along first inputs."""
    path = [name]
    while graph.by_name[path[-1]].inputs:
        path.append(graph.by_name[path[-1]].inputs[0])
    return path
