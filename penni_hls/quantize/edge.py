"""Edges of the integer graph: the real values of their integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.graph import TensorSpec


@dataclass(frozen=True, eq=False)
class Edge:
    """The integers of node `name` represent real = (integer - zero) * scale; scale, zero float64 (C,).

    zero is 0 behind every convolution and linear layer; pixels contain the mean that training subtracted.
    """

    name: str
    spec: TensorSpec
    scale: np.ndarray
    zero: np.ndarray

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """values float (..., C) -> integers in the edge's dtype."""
        qtype = self.spec.qtype
        return np.clip(np.rint(values / self.scale + self.zero), qtype.lo, qtype.hi).astype(qtype.dtype)
