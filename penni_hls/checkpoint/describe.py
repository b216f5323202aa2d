"""What a network is, in a line."""

from __future__ import annotations

import re

from ..ir.graph import Graph, Node
from ..ir.layers import Add, Conv, Layer, Linear, MaxPool, PadShortcut, PenniConv
from .resnet import SHORTCUTS


def describe(graph: Graph[Layer]) -> str:
    """One line: `ResNet-20, 16-32-64 channels, option-A shortcuts, 32x32x3 input, 10 classes`."""
    ops = [node.op for node in graph]
    skips = any(isinstance(op, Add) for op in ops)
    every = [node for node in graph if isinstance(node.op, Conv | PenniConv)]
    convs = [node for node in every if not any(part in node.name for part in SHORTCUTS)]  # those that count as depth
    depth = len(convs) + sum(isinstance(op, Linear) for op in ops)
    widths: list[int] = []
    for node in convs[1 if skips else 0 :]:
        if not widths or widths[-1] != node.op.out_spec.shape[2]:
            widths.append(node.op.out_spec.shape[2])
    parts = [f"{_family(convs, skips)}-{depth}", f"{'-'.join(map(str, widths))} channels"]
    if skips:
        if any(isinstance(op, PadShortcut) for op in ops):
            parts.append("option-A shortcuts")
        else:
            parts.append("option-B shortcuts" if len(convs) < len(every) else "plain shortcuts")
        parts.append("pooled stem" if any(isinstance(op, MaxPool) for op in ops) else "3x3 stem")
    decomposed = sum(isinstance(op, PenniConv) for op in ops)
    parts.append(f"{decomposed} of {len(every)} convolutions decomposed")
    output = graph.output.op.out_spec
    parts += [
        f"{graph.input.op.out_spec} input",
        f"{output.shape[2]} classes" if output.pixels == 1 else f"{output} output",
    ]
    return ", ".join(parts)


def _family(convs: list[Node[Layer]], skips: bool) -> str:
    """By the names that the usual code gives its layers; any other network is a CNN."""
    if skips:
        return "ResNet" if any(re.match(r"layer\d", node.name) for node in convs) else "CNN"
    return "VGG" if all(re.match(r"features\b", node.name) for node in convs) else "CNN"
