"""Edges of the integer graph: the real values of their integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.graph import TensorSpec

CHUNK = 1 << 15  # values that are quantized at a time


@dataclass(frozen=True, eq=False)
class Edge:
    """The integers of node `name` represent real = (integer - zero) * scale; scale, zero float64 (C,).

    zero is 0 behind every convolution and linear layer; pixels contain the mean that training subtracted.
    """

    name: str
    spec: TensorSpec
    scale: np.ndarray
    zero: np.ndarray

    @property
    def step(self) -> float:
        """The scale, where it is one for all channels and zero is 0; else ValueError."""
        if self.zero.any() or len(set(self.scale.tolist())) > 1:
            raise ValueError(f"{self.name}: its channels do not have one scale, and 0 for zero")
        return float(self.scale[0])

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """values float (..., C) -> integers in the edge's dtype."""
        qtype = self.spec.qtype
        result = np.empty(values.shape, qtype.dtype)
        rows, into = values.reshape(-1, values.shape[-1]), result.reshape(-1, values.shape[-1])
        for start in range(0, len(rows), step := max(1, CHUNK // max(1, rows.shape[1]))):  # they stay in the cache
            part = rows[start : start + step] / self.scale
            part += self.zero
            np.rint(part, out=part)
            into[start : start + step] = np.clip(part, qtype.lo, qtype.hi, out=part)
        return result
