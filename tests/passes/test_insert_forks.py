"""Forks: every stream has one reader, whatever the number of readers of a map."""

from __future__ import annotations

import numpy as np
import pytest

from penni_hls.ir import interpreter
from penni_hls.ir.fixed import QType
from penni_hls.ir.graph import Graph, Node, TensorSpec, verify
from penni_hls.ir.ops import Clip, Concat, Fork, Input
from penni_hls.ir.ops.fork import MOST
from penni_hls.passes.insert_forks import insert_forks

SPEC = TensorSpec((2, 3, 1), QType(8, False))


def read_by(count: int) -> Graph:
    """A map that `count` operators read, whose results are joined again."""
    nodes = [Node("input", Input(SPEC)), Node("map", Clip(SPEC, 0, 255), ("input",))]
    nodes += [Node(f"reader{i}", Clip(SPEC, 0, 10 * i + 10), ("map",)) for i in range(count)]
    joined = "reader0"
    for i in range(1, count):
        first = next(node for node in nodes if node.name == joined).op.out_spec
        nodes.append(Node(f"join{i}", Concat(first, SPEC), (joined, f"reader{i}")))
        joined = f"join{i}"
    return Graph(tuple(nodes))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 11])
def test_every_stream_has_one_reader_and_values_stay(count):
    plain = read_by(count)
    forked = verify(insert_forks(plain))
    for node in forked:
        readers = len(forked.readers[node.name])
        assert readers == (node.op.readers if node.name != forked.output.name else 0)
        if isinstance(node.op, Fork):
            assert 2 <= readers <= MOST
    assert sum(isinstance(node.op, Fork) for node in forked) == -(-(count - 1) // (MOST - 1))
    images = np.arange(12, dtype=np.uint8).reshape(2, 2, 3, 1) * 20
    np.testing.assert_array_equal(interpreter.output(forked, images).values, interpreter.output(plain, images).values)


def test_a_fork_of_too_many_readers_is_refused():
    with pytest.raises(ValueError, match="fork: 5 readers of .*; 2 to 4 are possible"):
        Fork(SPEC, 5)
