"""Float graph -> integer graph: the passes below in their order, with `lower` between; each result is verified."""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from ..ir.blas import one_thread
from ..ir.graph import Graph, verify
from ..ir.layers import Layer
from ..ir.quantized import Quantized
from ..passes.align_concats import align_concats
from ..passes.drop_bases import drop_bases
from ..passes.fold_batchnorm import fold_batchnorm
from ..passes.fuse import fuse
from ..passes.insert_forks import insert_forks
from .calibrate import calibration as choose_calibration
from .lower import Bits, lower
from .shared_scale import shared_steps

FLOAT_PASSES = (fold_batchnorm, fuse, drop_bases, align_concats)
INTEGER_PASSES = (insert_forks,)
WEIGHT_BITS = range(2, 9)

__all__ = ["FLOAT_PASSES", "INTEGER_PASSES", "Quantized", "quantize"]


def quantize(
    float_graph: Graph[Layer], *, basis_bits: int = 8, coef_bits: int = 8, calibration: np.ndarray | None = None
) -> Quantized:
    """The integer network of a float one.

    calibration: uint8 (N, H, W, C) images like those of the task, 256 suffice; None: ranges come from the statistics
    that the BatchNorm layers recorded.
    """
    for name, bits in (("basis", basis_bits), ("coefficient", coef_bits)):
        if bits not in WEIGHT_BITS:
            raise UsageError(f"{bits} {name} bits; {WEIGHT_BITS.start} to {WEIGHT_BITS.stop - 1} are possible")
    batch = choose_calibration(float_graph, calibration)
    graph: Graph = float_graph
    for run_pass in FLOAT_PASSES:
        graph = verify(run_pass(graph))
    with one_thread():
        graph, logit_scale = lower(graph, batch, Bits(basis_bits, coef_bits), shared_steps(graph, batch))
    verify(graph)
    for run_pass in INTEGER_PASSES:
        graph = verify(run_pass(graph))
    notes = ("no calibration images: ranges come from the BatchNorm statistics",) if batch.synthetic else ()
    return Quantized(graph, logit_scale, notes)
