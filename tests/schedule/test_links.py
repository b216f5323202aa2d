"""FIFO depths where paths meet again, for any number of inputs and in any order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from penni_hls.backends.hls.emit import emit_hls
from penni_hls.backends.hls.gxx import csim, write_changed
from penni_hls.ir import interpreter
from penni_hls.ir.fixed import IntTensor, QType
from penni_hls.ir.graph import Graph, Node, TensorSpec, verify
from penni_hls.ir.ops import Fork, Input
from penni_hls.ir.ops.base import Folding, Operator
from penni_hls.schedule import plan
from penni_hls.schedule.links import SHORT, links
from penni_hls.target.boards import load
from penni_hls.target.resources import Resources
from tests.networks import U8, NetworkBuilder


@dataclass(frozen=True)
class Holds(Operator):
    """A test operator of any number of inputs that holds so many pixels."""

    spec: TensorSpec
    pixels: float
    arity: int = 1

    kind: ClassVar[str] = "holds"
    input_names: ClassVar[tuple[str, ...]] = ("a", "b", "c", "d")

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.spec,) * self.arity

    @property
    def out_spec(self) -> TensorSpec:
        return self.spec

    def reference(self, *inputs: IntTensor) -> IntTensor:
        return inputs[0]

    def cycles(self, folding: Folding) -> int:
        return 1

    def cost(self, folding: Folding) -> Resources:
        return Resources()

    def parameters(self, folding: Folding) -> dict[str, int]:
        return {}

    def held_pixels(self, folding: Folding) -> float:
        return self.pixels


SPEC = TensorSpec((16, 16, 4), QType(8, signed=False))


def depths(*nodes: Node) -> dict[tuple[str, str], int]:
    """The depth of each FIFO by the two nodes that it joins; three readers of the fork `f`."""
    head = (Node("input", Input(SPEC)), Node("first", Holds(SPEC, 0), ("input",)))
    graph = verify(Graph((*head, *nodes)))
    found = links(graph, {node.name: node.op.folding() for node in graph})
    return {(link.src, link.dst): link.depth for link in found}


def test_each_of_three_inputs_waits_for_the_path_that_holds_most():
    found = depths(
        Node("f", Fork(SPEC, 3), ("first",)),
        Node("long", Holds(SPEC, 40), ("f",)),
        Node("longer", Holds(SPEC, 60), ("long",)),
        Node("middle", Holds(SPEC, 50), ("f",)),
        Node("join", Holds(SPEC, 0, arity=3), ("middle", "longer", "f")),
    )
    channels = SPEC.shape[2]
    assert found["longer", "join"] == SHORT
    assert found["middle", "join"] == found["f", "join"] == SHORT * -(-100 * channels // SHORT)


def test_the_order_of_the_inputs_does_not_matter():
    body = (Node("f", Fork(SPEC), ("first",)), Node("body", Holds(SPEC, 30), ("f",)))
    skip_last = depths(*body, Node("join", Holds(SPEC, 0, arity=2), ("body", "f")))
    skip_first = depths(*body, Node("join", Holds(SPEC, 0, arity=2), ("f", "body")))
    assert skip_last == skip_first
    assert skip_first["f", "join"] == SHORT * -(-30 * SPEC.shape[2] // SHORT)


def test_only_what_lies_behind_the_parting_of_the_paths_counts():
    found = depths(
        Node("before", Holds(SPEC, 1000), ("first",)),
        Node("f", Fork(SPEC), ("before",)),
        Node("body", Holds(SPEC, 20), ("f",)),
        Node("join", Holds(SPEC, 0, arity=2), ("body", "f")),
    )
    assert found["f", "join"] == SHORT * -(-20 * SPEC.shape[2] // SHORT)


def shortcut_first(stride: int) -> Graph:
    """shortcut(x) + body(x): the 1x1 convolution of the shortcut adds what the body gives."""
    build = NetworkBuilder(np.random.default_rng(3), bases=3, density=0.3)
    x = build.add("input", Input(TensorSpec((12, 12, 3), U8)))
    x = build.conv("conv1", x, 6)
    fork = build.add("fork", Fork(build.spec(x)), x)
    body = build.conv("conv3", build.conv("conv2", fork, 6, stride), 6)
    skip = build.subsample("sub", fork, stride) if stride > 1 else fork
    build.mac("shortcut.mac", skip, 6, U8, body)
    return verify(Graph(tuple(build.nodes)))


@pytest.mark.slow
@pytest.mark.parametrize("stride", [1, 2])
def test_a_shortcut_that_hosts_the_addition_does_not_deadlock(stride: int, tmp_path: Path):
    schedule = plan(shortcut_first(stride), load("pynq-z2"))
    images = np.random.default_rng(7).integers(0, 256, (3, 12, 12, 3)).astype(np.uint8)
    write_changed(emit_hls(schedule), tmp_path)
    values, _ = csim(schedule, tmp_path / "hls", tmp_path / "work", images, bounded=True)
    np.testing.assert_array_equal(values, interpreter.output(schedule.graph, images).values.reshape(3, -1))
