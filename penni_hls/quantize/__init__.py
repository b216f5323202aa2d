"""Float graph -> integer graph: the passes of `quantizer` in their order, with `lower` between; each result is verified."""

from __future__ import annotations

import numpy as np

from ..ir.bits import Bits, LayerBits, complete
from ..ir.graph import Graph
from ..ir.layers import Layer
from ..ir.quantized import Quantized
from .quantizer import FLOAT_PASSES, INTEGER_PASSES, Quantizer

__all__ = ["FLOAT_PASSES", "INTEGER_PASSES", "Quantized", "Quantizer", "quantize"]


def quantize(
    float_graph: Graph[Layer],
    *,
    basis_bits: int = 8,
    coef_bits: int = 8,
    bits: LayerBits | None = None,
    calibration: np.ndarray | None = None,
) -> Quantized:
    """The integer network of a float one.

    bits: by layer, where they are not basis_bits and coef_bits, all 2 to 8. calibration: see `Quantizer`.
    """
    others = Bits(basis_bits, coef_bits)
    quantizer = Quantizer(float_graph, calibration)
    return quantizer.quantized(complete(bits or {}, quantizer.layers, others))
