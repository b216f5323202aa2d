"""fewer_bits: a network with coefficients of fewer bits, for estimates of its cost alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir.fixed import QType
from ..ir.graph import Graph
from ..ir.ops import DepthwiseConv, SparseMac
from ..ir.ops.base import Operator


def coef_bits(graph: Graph[Operator]) -> int:
    """Of the widest coefficients; 0 where there are none."""
    return max((node.op.coef_type.bits for node in graph if isinstance(node.op, SparseMac | DepthwiseConv)), default=0)


def fewer_bits(graph: Graph[Operator], bits: int) -> Graph[Operator]:
    """No coefficient has more than `bits` bits; what is not zero stays so, so that no product is saved by rounding."""
    return Graph(tuple(replace(node, op=_narrowed(node.op, bits)) for node in graph))


def _narrowed(op: Operator, bits: int) -> Operator:
    if not isinstance(op, SparseMac | DepthwiseConv) or op.coef_type.bits <= bits:
        return op
    half = 1 << (op.coef_type.bits - bits)
    magnitudes = np.clip(np.abs(op.coefs) // half, op.coefs != 0, (1 << (bits - 1)) - 1)
    return replace(op, coefs=np.sign(op.coefs) * magnitudes, coef_type=QType(bits, signed=True))
