"""fold_batchnorm: convolution or linear layer, BatchNorm -> one layer with scaled rows and a bias. Zeros stay zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir.graph import Graph, Node
from ..ir.layers import BatchNorm, Conv, Linear, PenniConv
from .fused import Fused, Recorded


def fold_batchnorm(graph: Graph) -> Graph:
    """A convolution or linear layer and the BatchNorm that is its only reader become a Fused with the layer's name."""
    folded: dict[str, str] = {}
    norms = {node.inputs[0]: node for node in graph if isinstance(node.op, BatchNorm)}
    nodes = []
    for node in graph:
        inputs = tuple(folded.get(name, name) for name in node.inputs)
        if node.name in norms and isinstance(node.op, Conv | PenniConv | Linear) and len(graph.readers[node.name]) == 1:
            norm = norms[node.name]
            nodes.append(Node(node.name, _fold(node.op, norm.op), inputs))
            folded[norm.name] = node.name
        elif node.name not in folded:
            nodes.append(Node(node.name, node.op, inputs))
    return Graph(tuple(nodes))


def _fold(layer: Conv | PenniConv | Linear, norm: BatchNorm) -> Fused:
    offset = norm.offset if layer.bias is None else norm.offset + layer.bias * norm.scale
    bias = offset.astype(np.float32)
    rows = layer.coefs if isinstance(layer, PenniConv) else layer.weight
    scaled_rows = (rows * norm.scale.reshape(-1, *(1,) * (rows.ndim - 1))).astype(np.float32)
    scaled: Conv | PenniConv | Linear
    if isinstance(layer, PenniConv):
        scaled = replace(layer, coefs=scaled_rows, bias=bias)
    else:
        scaled = replace(layer, weight=scaled_rows, bias=bias)
    return Fused(scaled, recorded=Recorded(norm.beta, np.abs(norm.gamma)))
