"""Graphs that hold together, and what is said of those that do not."""

from __future__ import annotations

import pytest

from penni_hls.ir.graph import Graph, GraphError, Node, verify
from penni_hls.ir.layers import Add, GlobalAvgPool, Input, MapSpec, Relu

SPEC = MapSpec((4, 4, 3))
INPUT = Node("input", Input(SPEC, (0.5,) * 3, (0.5,) * 3))


def graph(*nodes: Node) -> Graph:
    return Graph((INPUT, *nodes))


def test_a_graph_that_holds_together() -> None:
    whole = graph(Node("a", Relu(SPEC), ("input",)), Node("b", Relu(SPEC), ("a",)), Node("sum", Add(SPEC), ("a", "b")))
    assert verify(whole) is whole
    assert whole.readers == {"input": ("a",), "a": ("b", "sum"), "b": ("sum",), "sum": ()}
    assert (whole.input.name, whole.output.name, whole.by_name["b"].inputs) == ("input", "sum", ("a",))


def test_a_map_read_twice_by_one_node() -> None:
    twice = verify(graph(Node("sum", Add(SPEC), ("input", "input"))))
    assert twice.readers["input"] == ("sum", "sum")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Graph(()), "the graph has no nodes"),
        (graph(Node("input", Relu(SPEC), ("input",))), "input: two nodes have this name"),
        (Graph((Node("a", Relu(SPEC), ("input",)), INPUT)), "a: the first node, and no other, is the input"),
        (graph(Node("second", INPUT.op)), "second: the first node, and no other, is the input"),
        (graph(Node("a", Relu(SPEC), ("input", "input"))), "a: reads 2 nodes, needs 1"),
        (
            graph(Node("a", Relu(SPEC), ("b",)), Node("b", Relu(SPEC), ("input",))),
            "a: reads b, which does not come before it",
        ),
        (
            graph(Node("pool", GlobalAvgPool(SPEC), ("input",)), Node("a", Relu(SPEC), ("pool",))),
            "a: reads pool, which gives 1x1x3; needs 4x4x3",
        ),
        (
            graph(Node("a", Relu(SPEC), ("input",)), Node("b", Relu(SPEC), ("input",))),
            "a: nothing reads it",
        ),
    ],
)
def test_a_broken_graph_is_named(broken: Graph, message: str) -> None:
    with pytest.raises(GraphError) as error:
        verify(broken)
    assert str(error.value) == message
