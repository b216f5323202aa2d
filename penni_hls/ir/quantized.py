"""What quantization makes of a float network."""

from __future__ import annotations

from dataclasses import dataclass

from .graph import Graph
from .ops.base import Operator


@dataclass(frozen=True, eq=False)
class Quantized:
    """graph: the integer network. logit_scale: what one step of its output is worth. notes: for the user. trained: by
    quantization-aware training, so that the float network beside it does not say more."""

    graph: Graph[Operator]
    logit_scale: float
    notes: tuple[str, ...]
    trained: bool = True
