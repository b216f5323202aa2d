"""What a network is, in a line."""

from __future__ import annotations

import re

from ..ir.graph import Graph, Node
from ..ir.layers import Add, Conv, Layer, Linear, MaxPool, PadShortcut, PenniConv


def describe(graph: Graph[Layer]) -> str:
    """One line: `ResNet-20, 16-32-64 channels, option-A shortcuts, 32x32x3 input, 10 classes`."""
    ops = [node.op for node in graph]
    residual = any(isinstance(op, Add) for op in ops)
    convs = [
        n
        for n in graph
        if isinstance(n.op, Conv | PenniConv) and "shortcut" not in n.name and "downsample" not in n.name
    ]
    depth = len(convs) + sum(isinstance(op, Linear) for op in ops)
    widths: list[int] = []
    for node in convs[1 if residual else 0 :]:
        if not widths or widths[-1] != node.op.out_spec.shape[2]:
            widths.append(node.op.out_spec.shape[2])
    parts = [f"{_family(convs, residual)}-{depth}", f"{'-'.join(map(str, widths))} channels"]
    if residual:
        plain = any(isinstance(op, PadShortcut) for op in ops)
        parts.append(
            "option-A shortcuts"
            if plain
            else "option-B shortcuts"
            if len(convs) < _conv_count(ops)
            else "plain shortcuts"
        )
        parts.append("pooled stem" if any(isinstance(op, MaxPool) for op in ops) else "3x3 stem")
    decomposed = sum(isinstance(op, PenniConv) for op in ops)
    parts.append(f"{decomposed} of {_conv_count(ops)} convolutions decomposed")
    parts += [f"{graph.input.op.out_spec} input", f"{graph.output.op.out_spec.shape[2]} classes"]
    return ", ".join(parts)


def _conv_count(ops: list[Layer]) -> int:
    return sum(isinstance(op, Conv | PenniConv) for op in ops)


def _family(convs: list[Node[Layer]], residual: bool) -> str:
    """By the names that the usual code gives its layers; a network of other names is just that."""
    if residual:
        return "ResNet" if any(re.match(r"layer\d", node.name) for node in convs) else "residual CNN"
    return "VGG" if all(re.match(r"features\b", node.name) for node in convs) else "CNN"
