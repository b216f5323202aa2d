"""The one interpreter of a graph: float, integer, observing or for training, as `apply` says.

Values that nothing reads any more are dropped, so memory stays bounded by the widest cut of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .fixed import IntTensor
from .graph import Graph, Node

Apply = Callable[[Node, tuple[Any, ...]], Any]


@dataclass(frozen=True, eq=False)
class Step:
    """A node with the values that it reads (of the input: the images) and the one that it gives."""

    node: Node
    inputs: tuple[Any, ...]
    value: Any


def reference(node: Node, inputs: tuple[Any, ...]) -> Any:
    """What a layer or an operator says that it computes."""
    if inputs and all(isinstance(value, IntTensor) and not len(value.values) for value in inputs):
        spec = node.op.out_spec  # a copy of the network that gets none of these images
        return IntTensor(np.empty((0, *spec.shape), spec.qtype.dtype), spec.qtype)
    return node.op.reference(*inputs)


def interpret(graph: Graph, images: Any, apply: Apply = reference) -> Iterator[Step]:
    """Evaluate `graph` in order; images: what the input node reads."""
    waiting = {name: len(readers) for name, readers in graph.readers.items()}
    live: dict[str, Any] = {}
    for node in graph:
        inputs = graph.read(node.name, live) if node.inputs else (images,)
        value = live[node.name] = apply(node, inputs)
        yield Step(node, inputs, value)
        for name in node.inputs:
            waiting[name] -= 1
            if not waiting[name]:
                del live[name]


def run(graph: Graph, images: Any, keep: Collection[str] | None = None, apply: Apply = reference) -> dict[str, Any]:
    """The values of the nodes named in `keep` (None: all), and of the output.

    Of an integer network: images (N, H, W, C) in the input's dtype -> IntTensor by name.
    """
    steps = interpret(graph, images, apply)
    return {
        step.node.name: step.value
        for step in steps
        if keep is None or step.node.name in keep or step.node is graph.output
    }


def output(graph: Graph, images: Any, apply: Apply = reference) -> Any:
    """The value of the output node alone."""
    return run(graph, images, (), apply)[graph.output.name]
