"""rescale_pixels: a Scale by 1 stands where pixels are read as only maps with one scale can be.

The integers of the pixels are bytes: each channel has a scale of its own, and no integer 0 for its mean. That suits a
convolution, pooling and what a Scale multiplies, but not what is added to a result (the skip connection), bounds, zeros
around average pooling, or the result of the network.
"""

from __future__ import annotations

from dataclasses import replace

from ..ir.graph import Graph, Node
from ..ir.layers import AvgPool, Clip, Concat, Input, Scale
from .fused import Fused, identity


def rescale_pixels(graph: Graph) -> Graph:
    """fused graph -> the same, where a Scale by 1 before a node, or in place of a Clip, gives its map one scale."""
    even: dict[str, bool] = {}  # has the map one scale, and an integer 0?
    rescaled: dict[str, str] = {}
    nodes: list[Node] = []

    def insert(name: str, reader: Node) -> str:
        if name not in rescaled:
            rescaled[name] = f"{reader.name}.rescale"
            nodes.append(Node(rescaled[name], identity(graph.by_name[name].op.out_spec), (name,)))
        return rescaled[name]

    for node in graph:
        uneven = tuple(not even[name] for name in node.inputs)
        match node.op:
            case Fused(skip=True) if uneven[1] and not uneven[0] and _is_identity(node.op):
                node = replace(node, inputs=node.inputs[::-1])
            case Fused(skip=True) if uneven[1]:
                node = replace(node, inputs=(node.inputs[0], insert(node.inputs[1], node)))
            case AvgPool(window=window) if window.padded and uneven[0]:
                node = replace(node, inputs=(insert(node.inputs[0], node),))
            case Clip(lo=lo, hi=hi) if uneven[0]:
                node = replace(node, op=identity(node.op.x, lo, hi))
        nodes.append(node)
        if isinstance(node.op, Input):
            even[node.name] = not any(node.op.mean) and len(set(node.op.std)) == 1
        else:  # before a Concat, align_concats will see to it
            even[node.name] = isinstance(node.op, Fused | Concat) or all(even.get(name, True) for name in node.inputs)
    if not even[graph.output.name]:
        insert(graph.output.name, graph.output)
    return Graph(tuple(nodes))


def _is_identity(op: Fused) -> bool:
    layer = op.linear
    return isinstance(layer, Scale) and bool((layer.gain == 1).all()) and not layer.offset.any()
