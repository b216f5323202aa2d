"""A (channel, basis) that no coefficient reads is not computed; and, for training, the inverse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..ir.graph import Graph, Node
from ..ir.ops import BasisConv, SparseMac
from ..ir.ops.base import Operator

Pair = tuple[BasisConv, SparseMac]


def drop_unread_bases(graph: Graph[Operator]) -> Graph[Operator]:
    """Each basis convolution gives what some coefficient reads; where there is none, the first of its words."""
    return _pairs(graph, without_unread)


def with_all_bases(graph: Graph[Operator]) -> Graph[Operator]:
    """Each basis convolution gives every basis of every channel, in the order channel, basis; coefficients are 0 there."""
    return _pairs(graph, _all)


def _pairs(graph: Graph[Operator], change: Callable[[BasisConv, SparseMac], Pair]) -> Graph[Operator]:
    """`change` for each basis convolution and the sparse product that reads it."""
    changed: dict[str, Operator] = {}
    for node in graph:
        source = graph.by_name[node.inputs[0]] if node.inputs else node
        if isinstance(node.op, SparseMac) and isinstance(source.op, BasisConv):
            changed[source.name], changed[node.name] = change(source.op, node.op)
    return Graph(tuple(Node(node.name, changed.get(node.name, node.op), node.inputs) for node in graph))


def without_unread(basis: BasisConv, mac: SparseMac) -> Pair:
    """A basis convolution and the product that reads it, likewise."""
    read = mac.coefs.any(axis=0)
    if not read.any():
        read[0] = True
    if read.all():
        return basis, mac
    used = basis.pattern.copy()
    used[basis.pattern] = read
    return _joined(replace(basis, used=used), mac, mac.coefs[:, read])


def _all(basis: BasisConv, mac: SparseMac) -> Pair:
    coefs = np.zeros((len(mac.coefs), *basis.pattern.shape), mac.coefs.dtype)
    coefs[:, basis.pattern] = mac.coefs
    return _joined(replace(basis, used=None), mac, coefs.reshape(len(coefs), -1))


def _joined(basis: BasisConv, mac: SparseMac, coefs: np.ndarray) -> Pair:
    return basis, replace(mac, z=basis.out_spec, coefs=coefs)
