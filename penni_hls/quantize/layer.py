"""A convolution or linear layer on its way into integers: all that does not depend on the widths of its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from ..ir.bits import Bits
from ..ir.fixed import QType
from ..ir.graph import Node
from ..ir.ops import BasisConv
from ..passes.unread_bases import without_unread
from .coefficients import rounding_error
from .edge import Edge
from .front import Fronts
from .requantizer import fitted


@dataclass(frozen=True, eq=False)
class WeightLayer:
    """fronts: what stands before its coefficients, by the bits of its basis kernels.

    out, step: of its results. skip: the map that is added, of step skip_step. after: operators behind it. weights:
    non-zero coefficients; taps: of all its basis kernels, 0 where it has none of its own.
    """

    name: str
    fronts: Fronts
    bias: np.ndarray | None
    out: QType
    step: float
    skip: Edge | None
    skip_step: float
    after: tuple[Node, ...]
    weights: int
    taps: int

    @property
    def has_bases(self) -> bool:
        return self.taps > 0

    def nodes(self, bits: Bits) -> tuple[Node, ...]:
        """Its operators at these widths; of a layer without bases, bits.basis has no effect."""
        return self._nodes(bits if self.has_bases else Bits(coefs=bits.coefs))

    @cached_property
    def _nodes(self) -> Callable[[Bits], tuple[Node, ...]]:
        return cache(self._made)

    def _made(self, bits: Bits) -> tuple[Node, ...]:
        front, coef_type = self.fronts.at(bits.basis), QType(bits.coefs, signed=True)
        coefs, requant = fitted(self.name, front, self.bias, coef_type, self.out, self.step, self.skip_step)
        last = front.operator(coefs, coef_type, requant, None if self.skip is None else self.skip.spec)
        reads = (front.read,) if self.skip is None else (front.read, self.skip.name)
        nodes = front.nodes
        if nodes and isinstance(source := nodes[-1].op, BasisConv):
            source, last = without_unread(source, last)
            nodes = (*nodes[:-1], replace(nodes[-1], op=source))
        return (*nodes, Node(f"{self.name}.{front.part}", last, reads), *self.after)

    def basis_error(self, bits: int) -> float:
        """Mean square error of its sums that comes from basis kernels of `bits` bits; 0 where it has none."""
        return self.fronts.error(bits)

    def coef_error(self, bits: int) -> float:
        """The same of coefficients of `bits` bits, about: as if the errors of the products were independent."""
        return rounding_error(self.fronts.at(Bits().basis).moments, QType(bits, signed=True))
