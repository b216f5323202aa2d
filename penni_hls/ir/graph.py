"""Node and Graph: frozen, in topological order. A pass takes one and returns another; `verify` runs after each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

from .fixed import QType


@dataclass(frozen=True)
class TensorSpec:
    """What an edge of the integer graph carries for one image.

    shape (H, W, C) is a map, streamed in raster order with channels within a pixel; shape (H, W, C, d) is the result of
    a basis convolution, streamed as tiles (see ir/streams.py).
    """

    shape: tuple[int, ...]
    qtype: QType

    def __post_init__(self) -> None:
        if len(self.shape) not in (3, 4) or min(self.shape) < 1:
            raise ValueError(f"TensorSpec: shape {self.shape}")

    @property
    def tiled(self) -> bool:
        return len(self.shape) == 4

    @property
    def pixels(self) -> int:
        return self.shape[0] * self.shape[1]

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape))} {self.qtype}"


class Op(Protocol):
    """What every layer and operator says of itself: what it takes and what it gives."""

    @property
    def in_specs(self) -> tuple: ...

    @property
    def out_spec(self): ...

    def given(self, value: Any, reader: int) -> Any: ...


T = TypeVar("T", bound=Op)


@dataclass(frozen=True)
class Node(Generic[T]):
    """One operator: a unique name (`layer1.0.conv1.basis`), what it computes, the names of the nodes it reads."""

    name: str
    op: T
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph(Generic[T]):
    """Nodes in topological order. The first is the input, the last the output."""

    nodes: tuple[Node[T], ...]

    def __iter__(self) -> Iterator[Node[T]]:
        return iter(self.nodes)

    @cached_property
    def by_name(self) -> dict[str, Node[T]]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def readers(self) -> dict[str, tuple[str, ...]]:
        """For each node the nodes that read it, in graph order, once per input that does."""
        readers: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in node.inputs:
                readers[name].append(node.name)
        return {name: tuple(names) for name, names in readers.items()}

    def reader(self, dst: str, port: int) -> int:
        """Which of the readers of its source input number `port` of node `dst` is."""
        src = self.by_name[dst].inputs[port]
        return self.readers[src].index(dst) + self.by_name[dst].inputs[:port].count(src)

    def read(self, dst: str, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """What each input of node `dst` reads, of what the nodes before it gave, by their names."""
        inputs = enumerate(self.by_name[dst].inputs)
        return tuple(self.by_name[src].op.given(values[src], self.reader(dst, port)) for port, src in inputs)

    @property
    def input(self) -> Node[T]:
        return self.nodes[0]

    @property
    def output(self) -> Node[T]:
        return self.nodes[-1]


class GraphError(ValueError):
    """A graph that does not hold together: one line that names the node."""


def verify(graph: Graph[T]) -> Graph[T]:
    """Check order, names, arity and that each edge's two ends agree on shape and type; return the graph unchanged."""
    if not graph.nodes:
        raise GraphError("the graph has no nodes")
    seen: dict[str, Node[T]] = {}
    for index, node in enumerate(graph.nodes):
        if node.name in seen:
            raise GraphError(f"{node.name}: two nodes have this name")
        wanted = node.op.in_specs
        if (index == 0) != (not wanted):
            raise GraphError(f"{node.name}: the first node, and no other, is the input")
        if len(node.inputs) != len(wanted):
            raise GraphError(f"{node.name}: reads {len(node.inputs)} nodes, needs {len(wanted)}")
        for name, want in zip(node.inputs, wanted):
            if name not in seen:
                raise GraphError(f"{node.name}: reads {name}, which does not come before it")
            have = seen[name].op.out_spec
            if have != want:
                raise GraphError(f"{node.name}: reads {name}, which gives {have}; needs {want}")
        seen[node.name] = node
    for name, readers in graph.readers.items():
        if not readers and name != graph.output.name:
            raise GraphError(f"{name}: nothing reads it")
    return graph
