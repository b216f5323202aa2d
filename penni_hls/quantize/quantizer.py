"""A float network, prepared to become integers at any widths of its weights.

Ranges, steps and samples do not depend on these widths, so they are found once; what one layer becomes at one pair of
widths is kept, too.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from ..ir import interpreter
from ..ir.bits import LayerBits
from ..ir.blas import one_thread
from ..ir.graph import Graph, Node, verify
from ..ir.layers import Layer
from ..ir.ops.base import Operator
from ..ir.quantized import Quantized
from ..passes.align_concats import align_concats
from ..passes.drop_bases import drop_bases
from ..passes.fold_batchnorm import fold_batchnorm
from ..passes.fuse import fuse
from ..passes.insert_forks import insert_forks
from ..passes.never_negative import bound_scales
from ..passes.rescale_pixels import rescale_pixels
from .calibrate import calibration as choose_calibration
from .exact import forward
from .layer import WeightLayer
from .lower import Part, lower, naming
from .shared_scale import shared_steps

FLOAT_PASSES = (fold_batchnorm, fuse, drop_bases, rescale_pixels, bound_scales, align_concats)
INTEGER_PASSES = (insert_forks,)


class Quantizer:
    """calibration: uint8 (N, H, W, C) images like those of the task, 256 suffice; None: ranges come from the statistics
    that the BatchNorm layers recorded."""

    def __init__(self, float_graph: Graph[Layer], calibration: np.ndarray | None = None) -> None:
        self.batch = choose_calibration(float_graph, calibration)
        graph: Graph = float_graph
        for run_pass in FLOAT_PASSES:
            graph = verify(run_pass(graph))
        self._fused = graph
        with one_thread():
            self._parts, self.logit_scale, self._seen = lower(graph, self.batch, shared_steps(graph, self.batch))

    @property
    def layers(self) -> dict[str, WeightLayer]:
        """Those with weights whose widths can be chosen, by name, in the network's order."""
        return {part.name: part for part in self._parts if isinstance(part, WeightLayer)}

    def float_logits(self, count: int) -> np.ndarray:
        """Of the float network for the first `count` images of the batch, (count, classes), in arithmetic that is the same
        everywhere."""
        logits = self._seen[:count]
        if self.batch.synthetic:  # then it has been normalised on its way
            with one_thread():
                logits = interpreter.output(self._fused, self.batch.images[:count], partial(forward, recorded=False))
        return logits.reshape(len(logits), -1)

    def graph(self, bits: LayerBits) -> Graph[Operator]:
        """The integer network, without forks; bits: of every layer."""
        with one_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = pool.map(lambda part: _nodes(part, bits), self._parts)
            return Graph(tuple(node for nodes in parts for node in nodes))

    def quantized(self, bits: LayerBits) -> Quantized:
        """The integer network; bits: of every layer."""
        graph = verify(self.graph(bits))
        for run_pass in INTEGER_PASSES:
            graph = verify(run_pass(graph))
        notes = ("no calibration images: ranges come from the BatchNorm statistics",) if self.batch.synthetic else ()
        return Quantized(graph, self.logit_scale, notes)


def _nodes(part: Part, bits: LayerBits) -> tuple[Node, ...]:
    if not isinstance(part, WeightLayer):
        return part
    with naming(part.name):
        return part.nodes(bits[part.name])
