"""The Python reference of a whole network: each operator's `reference`, folded over the graph."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from .fixed import IntTensor
from .graph import Graph
from .ops.base import HardwareOp


def run(graph: Graph[HardwareOp], images: np.ndarray, keep: Collection[str] | None = None) -> dict[str, IntTensor]:
    """images (N, H, W, C) in the input's dtype -> the tensors named in `keep` (None: all). The output is always there.

    Tensors nobody needs any more are dropped on the way, so that memory stays bounded by the widest cut.
    """
    spec = graph.input.op.out_spec
    if images.shape[1:] != spec.shape or images.dtype != spec.qtype.dtype:
        raise ValueError(f"the network takes images {spec}; these are {images.shape[1:]} {images.dtype}")
    live = {graph.input.name: IntTensor(images, spec.qtype)}
    kept: dict[str, IntTensor] = {}
    waiting = {name: len(readers) for name, readers in graph.readers.items()}
    for node in graph:
        if node.inputs:
            live[node.name] = node.op.reference(*(live[name] for name in node.inputs))
        if keep is None or node.name in keep:
            kept[node.name] = live[node.name]
        for name in node.inputs:
            waiting[name] -= 1
            if not waiting[name]:
                del live[name]
    kept[graph.output.name] = live[graph.output.name]
    return kept
