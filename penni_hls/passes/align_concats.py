"""align_concats: every map that a concatenation joins comes from a requantizer, and all of them have one type.

Where an input of a concatenation does not (the raw pixels, a sum over all pixels, a signed map beside maps behind a
ReLU, a map that others read too beside wide results), a Scale by 1 is inserted before it: its requantizer gives any
scale, and the type that is needed.
"""

from __future__ import annotations

from dataclasses import replace

from ..ir.graph import Graph, Node
from ..ir.layers import Concat
from .fused import Fused, identity
from .never_negative import never_negative
from .wide_results import wide_results


def align_concats(graph: Graph) -> Graph:
    """fused graph -> the same with a Scale by 1 before each input of a Concat that needs one."""
    sources, positive, wide = sources_of(graph), never_negative(graph), wide_results(graph)
    identities: dict[tuple[str, bool, bool], str] = {}
    nodes: list[Node] = []
    for node in graph:
        if isinstance(node.op, Concat):
            unsigned = all(positive[name] for name in node.inputs)
            inputs = []
            for index, (name, spec) in enumerate(zip(node.inputs, node.op.in_specs)):
                requantized = all(
                    isinstance(graph.by_name[source].op, Fused) and (source in wide) == (node.name in wide)
                    for source in sources[name]
                )
                key = (name, unsigned, node.name in wide)
                if not (requantized and positive[name] == unsigned) and key not in identities:
                    identities[key] = f"{node.name}.rescale{index}"
                    nodes.append(Node(identities[key], identity(spec, 0.0 if unsigned else None), (name,)))
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
