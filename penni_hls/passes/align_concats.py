"""align_concats: every map that a concatenation joins comes from a requantizer, and all of them have one type.

Where an input of a concatenation does not (the raw pixels, a sum over all pixels, a signed map beside maps behind a
ReLU), a 1x1 identity convolution is inserted before it: its requantizer gives any scale, and the type that is needed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir.graph import Graph, Node
from ..ir.layers import AvgPool, Clip, Concat, Conv, GlobalAvgPool, Input, MapSpec
from .fused import Fused


def align_concats(graph: Graph) -> Graph:
    """fused graph -> the same with an identity convolution before each input of a Concat that needs one."""
    sources, positive = sources_of(graph), _never_negative(graph)
    identities: dict[tuple[str, bool], str] = {}
    nodes: list[Node] = []
    for node in graph:
        if isinstance(node.op, Concat):
            unsigned = all(positive[name] for name in node.inputs)
            inputs = []
            for index, (name, spec) in enumerate(zip(node.inputs, node.op.in_specs)):
                requantized = all(isinstance(graph.by_name[source].op, Fused) for source in sources[name])
                key = (name, unsigned)
                if not (requantized and positive[name] == unsigned) and key not in identities:
                    identities[key] = f"{node.name}.rescale{index}"
                    nodes.append(Node(identities[key], _identity(spec, unsigned), (name,)))
                inputs.append(identities.get(key, name))
            node = replace(node, inputs=tuple(inputs))
            positive[node.name] = unsigned
        nodes.append(node)
    return Graph(tuple(nodes))


def sources_of(graph: Graph) -> dict[str, frozenset[str]]:
    """For each node the nodes whose requantizers set the step of its result; where it sets its own, itself."""
    sources: dict[str, frozenset[str]] = {}
    for node in graph:
        if node.op.keeps_scale:
            sources[node.name] = frozenset().union(*(sources[name] for name in node.inputs))
        else:
            sources[node.name] = frozenset((node.name,))
    return sources


def _never_negative(graph: Graph) -> dict[str, bool]:
    positive: dict[str, bool] = {}
    for node in graph:
        match node.op:
            case Input(mean=mean):
                positive[node.name] = max(mean) <= 0
            case Fused(relu=relu):
                positive[node.name] = relu
            case Clip(lo=lo):
                positive[node.name] = lo is not None and lo >= 0
            case op:
                keeps = op.keeps_scale or isinstance(op, AvgPool | GlobalAvgPool)
                positive[node.name] = keeps and all(positive[name] for name in node.inputs)
    return positive


def _identity(spec: MapSpec, relu: bool) -> Fused:
    eye = np.eye(spec.shape[2], dtype=np.float32)
    return Fused(Conv(spec, eye[:, :, None, None]), lo=0.0 if relu else None)
