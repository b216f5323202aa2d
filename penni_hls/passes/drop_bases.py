"""drop_bases: basis kernels that no coefficient of the layer uses are not computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir.graph import Graph
from ..ir.layers import PenniConv
from .fused import Fused


def drop_bases(graph: Graph) -> Graph:
    """Each PenniConv keeps the bases some coefficient reads; a layer without any coefficient keeps the first."""
    return Graph(tuple(replace(n, op=_drop(n.op)) if isinstance(n.op, Fused) else n for n in graph))


def _drop(op: Fused) -> Fused:
    conv = op.linear
    if not isinstance(conv, PenniConv):
        return op
    used = np.flatnonzero((conv.coefs != 0).any(axis=(0, 1)) & conv.basis.any(axis=(1, 2)))
    if len(used) == len(conv.basis):
        return op
    used = used if len(used) else np.array([0])
    return replace(op, linear=replace(conv, basis=conv.basis[used], coefs=conv.coefs[:, :, used]))
