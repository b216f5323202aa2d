"""narrow_coefs: coefficients are stored in the narrowest type that holds all of a layer's."""

from __future__ import annotations

from dataclasses import replace

from ..ir.fixed import QType, signed_bits
from ..ir.graph import Graph
from ..ir.ops import DepthwiseConv, SparseMac
from ..ir.ops.base import Operator


def narrow_coefs(graph: Graph[Operator]) -> Graph[Operator]:
    """The type of a layer's coefficients becomes the narrowest signed one of 2 bits or more; values stay."""
    return Graph(tuple(replace(node, op=_narrow(node.op)) for node in graph))


def _narrow(op: Operator) -> Operator:
    if not isinstance(op, SparseMac | DepthwiseConv):
        return op
    return replace(op, coef_type=QType(min(op.coef_type.bits, signed_bits(op.coefs)), signed=True))
