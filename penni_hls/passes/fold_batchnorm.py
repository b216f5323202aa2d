"""fold_batchnorm: convolution, BatchNorm -> one convolution with scaled rows and a bias. Zeros stay zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, Node
from ..layers import BatchNorm, Conv, PenniConv
from .fused import Fused, Recorded


def fold_batchnorm(graph: Graph) -> Graph:
    """Each convolution whose only reader is a BatchNorm becomes a Fused of its name; the BatchNorm's readers follow."""
    folded: dict[str, str] = {}
    norms = {node.inputs[0]: node for node in graph if isinstance(node.op, BatchNorm)}
    nodes = []
    for node in graph:
        inputs = tuple(folded.get(name, name) for name in node.inputs)
        if node.name in norms and isinstance(node.op, Conv | PenniConv) and len(graph.readers[node.name]) == 1:
            norm = norms[node.name]
            nodes.append(Node(node.name, _fold(node.op, norm.op), inputs))
            folded[norm.name] = node.name
        elif node.name not in folded:
            nodes.append(Node(node.name, node.op, inputs))
    return Graph(tuple(nodes))


def _fold(conv: Conv | PenniConv, norm: BatchNorm) -> Fused:
    offset = norm.offset if conv.bias is None else norm.offset + conv.bias * norm.scale
    bias = offset.astype(np.float32)
    if isinstance(conv, PenniConv):
        coefs = (conv.coefs * norm.scale[:, None, None]).astype(np.float32)
        scaled: Conv | PenniConv = replace(conv, coefs=coefs, bias=bias)
    else:
        scaled = replace(conv, weight=(conv.weight * norm.scale[:, None, None, None]).astype(np.float32), bias=bias)
    return Fused(scaled, recorded=Recorded(norm.beta, np.abs(norm.gamma)))
