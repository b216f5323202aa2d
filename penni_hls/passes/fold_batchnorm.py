"""fold_batchnorm: BatchNorm and Scale become part of what gives the map that they read, else a Scale of their own.

They are folded into a convolution, linear layer or Scale that nothing else reads: scaled rows and a bias; zeros stay
zero. Those of the pixels alone become part of their normalisation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir.graph import Graph, Node
from ..ir.layers import Add, BatchNorm, Conv, Input, Linear, PenniConv, Scale
from ..ir.layers.base import FloatLayer
from .fused import Fused, Recorded


def fold_batchnorm(graph: Graph) -> Graph:
    """No BatchNorm or Scale is left but in a Fused. What is folded goes by the name of the layer that it is folded into.

    x + x is a Scale by 2.
    """
    folded: dict[str, str] = {}
    nodes: dict[str, Node] = {}
    for node in graph:
        op, inputs = node.op, tuple(folded.get(name, name) for name in node.inputs)
        if isinstance(op, Add) and len(set(inputs)) == 1:
            op, inputs = Scale.of(op.x, gain=2.0), inputs[:1]
        if isinstance(op, BatchNorm | Scale):
            host = nodes[inputs[0]]
            alone = set(graph.readers[node.inputs[0]]) == {node.name}
            merged = _merged(host.op, op, node is graph.output) if alone else None
            if merged is not None:
                nodes[host.name] = replace(host, op=merged)
                folded[node.name] = host.name
                continue
            op = _after(Fused(Scale.of(op.x)), op)
        elif isinstance(op, Conv | PenniConv | Linear):
            norms = [graph.by_name[name].op for name in graph.readers[node.name]]
            op = Fused(op, recorded=next((_read_by(norm) for norm in norms if isinstance(norm, BatchNorm)), None))
        nodes[node.name] = Node(node.name, op, inputs)
    return Graph(tuple(nodes.values()))


def _merged(host: FloatLayer, norm: BatchNorm | Scale, last: bool) -> FloatLayer | None:
    """`host` and `norm` as one layer; None where there is none. last: `norm` gives the result of the network."""
    if isinstance(host, Input) and not last:
        return _normalised(host, norm)
    return _after(host, norm) if isinstance(host, Fused) else None


def _normalised(pixels: Input, norm: BatchNorm | Scale) -> Input | None:
    """Other mean and deviation; None where no pixel would stand for 0, which padding needs."""
    gain, offset = _vectors(norm)
    if gain.min() <= 0:
        return None
    std = np.asarray(pixels.std) / gain
    mean = np.asarray(pixels.mean) - offset * std
    if not (np.isfinite(std).all() and std.min() > 0 and mean.min() >= 0 and mean.max() <= 1):
        return None
    return replace(pixels, mean=tuple(mean.tolist()), std=tuple(std.tolist()))


def _after(host: Fused, norm: BatchNorm | Scale) -> Fused:
    """`host`, then `norm`."""
    gain, offset = _vectors(norm)
    layer = host.linear
    old = layer.offset if isinstance(layer, Scale) else layer.bias
    bias = (offset if old is None else offset + old * gain).astype(np.float32)
    scaled: Conv | PenniConv | Linear | Scale
    match layer:
        case Scale():
            scaled = replace(layer, gain=_rows(layer.gain, gain), offset=bias)
        case PenniConv():
            scaled = replace(layer, coefs=_rows(layer.coefs, gain), bias=bias)
        case _:
            scaled = replace(layer, weight=_rows(layer.weight, gain), bias=bias)
    recorded = host.recorded
    if isinstance(norm, BatchNorm):
        recorded = _given_by(norm)
    elif recorded is not None:
        mean, std = recorded.mean * gain + offset, recorded.std * np.abs(gain)
        recorded = Recorded(mean.astype(np.float32), std.astype(np.float32))
    return Fused(scaled, recorded=recorded)


def _rows(rows: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return (rows * gain.reshape(-1, *(1,) * (rows.ndim - 1))).astype(np.float32)


def _vectors(norm: BatchNorm | Scale) -> tuple[np.ndarray, np.ndarray]:
    """Gain and offset, float64 (C,)."""
    if isinstance(norm, BatchNorm):
        return norm.scale, norm.offset
    return norm.gain.astype(np.float64), norm.offset.astype(np.float64)


def _given_by(norm: BatchNorm) -> Recorded:
    """What it recorded of its result. Of a channel that hardly varied in training, with eps in mind."""
    small = np.abs(norm.scale) * np.sqrt(norm.var)
    return Recorded(norm.beta, np.where(norm.var > norm.eps, np.abs(norm.gamma), small).astype(np.float32))


def _read_by(norm: BatchNorm) -> Recorded:
    """What it recorded of the map that it reads."""
    return Recorded(norm.mean, np.sqrt(norm.var))
