"""drop_unread_bases: the same network with fewer words; with_all_bases: its inverse, up to coefficients that are 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from penni_hls.ir import interpreter
from penni_hls.ir.graph import Graph, Node, verify
from penni_hls.ir.ops import BasisConv, SparseMac
from penni_hls.passes.unread_bases import drop_unread_bases, with_all_bases

from ..networks import random_resnet


def networks() -> dict[str, Graph]:
    sparse, dense, some = (random_resnet(size=6, density=density) for density in (0.1, 1.0, 0.4))
    last = some.by_name["layer2.0.conv2.mac"]
    nothing = replace(last, op=replace(last.op, coefs=np.zeros_like(last.op.coefs)))
    return {
        "sparse": sparse,
        "dense": dense,
        "a layer of zeros": Graph(tuple(nothing if node is last else node for node in some)),
    }


def pairs(graph: Graph) -> list[tuple[Node, Node]]:
    return [
        (graph.by_name[node.inputs[0]], node)
        for node in graph
        if isinstance(node.op, SparseMac) and isinstance(graph.by_name[node.inputs[0]].op, BasisConv)
    ]


@pytest.mark.parametrize("name", networks())
def test_the_network_stays_the_same_and_every_word_is_read(name: str) -> None:
    graph = networks()[name]
    small = verify(drop_unread_bases(graph))
    images = np.random.default_rng(0).integers(0, 256, (3, *graph.input.op.out_spec.shape), dtype=np.uint8)
    before, after = (interpreter.run(g, images) for g in (graph, small))
    for (_, old), (basis, mac) in zip(pairs(graph), pairs(small), strict=True):
        assert np.array_equal(before[mac.name].values, after[mac.name].values)
        assert np.prod(basis.op.out_spec.shape[2:]) == max(1, int(old.op.coefs.any(0).sum()))
        assert mac.op.coefs.any(0).all() or not old.op.coefs.any()
    assert np.array_equal(before[graph.output.name].values, after[graph.output.name].values)


@pytest.mark.parametrize("name", networks())
def test_the_inverse_has_all_columns_again(name: str) -> None:
    graph = networks()[name]
    again = verify(with_all_bases(drop_unread_bases(graph)))
    for (_, old), (basis, mac) in zip(pairs(graph), pairs(again), strict=True):
        assert basis.op.used is None and np.array_equal(mac.op.coefs, old.op.coefs)
