"""The classes of which a float and an integer network are made, for writing them down (see serialize)."""

from __future__ import annotations

from typing import get_args

from . import layers, ops
from .fixed import QType, Requant, SignedRequant
from .graph import Graph, Node, TensorSpec

# Two, because a layer and an operator may share a name.
FLOAT = (Graph, Node, layers.MapSpec, *get_args(layers.Layer))
INTEGER = (Graph, Node, TensorSpec, QType, Requant, SignedRequant, ops.Input, *ops.OPERATORS)
FOLDINGS = ops.FOLDINGS
