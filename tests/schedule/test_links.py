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
from penni_hls.ir.ops import Concat, Fork, Input, MaxPool, Upsample
from penni_hls.ir.ops.base import Folding, Operator
from penni_hls.ir.ops.timing import Stage, Step, Timing
from penni_hls.ir.streams import Port, Stream
from penni_hls.schedule import plan
from penni_hls.schedule.events import Deadlock
from penni_hls.schedule.links import SHORT, links
from penni_hls.schedule.pipeline import simulate
from penni_hls.target.boards import load
from penni_hls.target.resources import Resources
from tests.networks import U8, NetworkBuilder

SPEC = TensorSpec((16, 16, 4), QType(8, signed=False))
BEATS, CHANNELS = 1024, 4


@dataclass(frozen=True)
class Holds(Operator):
    """A test operator of any number of inputs that gives nothing before it has so many pixels of the first."""

    pixels: int
    arity: int = 1

    kind: ClassVar[str] = "holds"
    input_names: ClassVar[tuple[str, ...]] = ("a", "b", "c", "d")

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (SPEC,) * self.arity

    @property
    def out_spec(self) -> TensorSpec:
        return SPEC

    def outputs(self, folding: Folding) -> tuple[Port, ...]:
        return (Port("out", Stream(SPEC)),)

    def reference(self, *inputs: IntTensor) -> IntTensor:
        return inputs[0]

    def timing(self, folding: Folding) -> Timing:
        """The first input is taken in while it is held back; the last pixels leave when no more come."""
        held = self.pixels * CHANNELS
        names = self.input_names[: self.arity]
        fill = Step(held or 1, (("a", held),), posts=(("held", held, 0),))
        move = Step(BEATS - held, (("a", BEATS - held),), (("held", BEATS - held),), needs=(("room", 1),))
        give = Step(BEATS, (("held", BEATS), *((name, BEATS) for name in names[1:])), (("out", BEATS),))
        end = Step(1, posts=(("room", 1, 0),))
        return Timing(
            (Stage("take", ((1, fill), (1, move))), Stage("give", ((1, give), (1, end)))), {"held": 0, "room": 1}
        )

    def cost(self, folding: Folding) -> Resources:
        return Resources()

    def parameters(self, folding: Folding) -> dict[str, int]:
        return {}


def net(*nodes: Node) -> Graph[Operator]:
    """Three readers of the fork `f`, or two."""
    return verify(Graph((Node("input", Input(SPEC)), Node("first", Holds(0), ("input",)), *nodes)))


def depths(graph: Graph[Operator]) -> dict[tuple[str, str], int]:
    """The depth of each FIFO by the two nodes that it joins."""
    found, _ = links(graph, {node.name: node.op.folding() for node in graph})
    return {(link.src, link.dst): link.depth for link in found}


def at_depth(graph: Graph[Operator], depth: int) -> None:
    """Run the network with all FIFOs that deep."""
    ends = {(node.name, port) for node in graph for port in range(len(node.inputs))}
    simulate(graph, {node.name: node.op.folding() for node in graph}, dict.fromkeys(ends, depth))


THREE = net(
    Node("f", Fork(SPEC, 3), ("first",)),
    Node("long", Holds(40), ("f",)),
    Node("longer", Holds(60), ("long",)),
    Node("middle", Holds(50), ("f",)),
    Node("join", Holds(0, arity=3), ("middle", "longer", "f")),
)


def test_each_of_three_inputs_waits_for_the_path_that_holds_most():
    found = depths(THREE)
    assert found["longer", "join"] <= 2 * SHORT
    assert 100 * CHANNELS <= found["f", "join"] <= 110 * CHANNELS + 2 * SHORT
    assert 50 * CHANNELS <= found["middle", "join"] <= 60 * CHANNELS + 2 * SHORT


def test_the_order_of_the_inputs_does_not_matter():
    body = (Node("f", Fork(SPEC), ("first",)), Node("body", Holds(30), ("f",)))
    skip_last = depths(net(*body, Node("join", Holds(0, arity=2), ("body", "f"))))
    skip_first = depths(net(*body, Node("join", Holds(0, arity=2), ("f", "body"))))
    assert skip_last == skip_first
    assert 30 * CHANNELS <= skip_first["f", "join"] <= 40 * CHANNELS + 2 * SHORT


def test_only_what_lies_behind_the_parting_of_the_paths_counts():
    graph = net(
        Node("before", Holds(200), ("first",)),
        Node("f", Fork(SPEC), ("before",)),
        Node("body", Holds(20), ("f",)),
        Node("join", Holds(0, arity=2), ("body", "f")),
    )
    assert depths(graph)["f", "join"] <= 30 * CHANNELS + 2 * SHORT


def test_the_model_knows_a_deadlock():
    with pytest.raises(Deadlock, match=r"f.*join"):
        at_depth(THREE, SHORT)
    at_depth(THREE, 110 * CHANNELS)


def _build(size: int) -> tuple[NetworkBuilder, str]:
    build = NetworkBuilder(np.random.default_rng(3), bases=3, density=0.3)
    return build, build.conv("conv1", build.add("input", Input(TensorSpec((size, size, 3), U8))), 6)


def shortcut_first(stride: int) -> Graph:
    """shortcut(x) + body(x): the 1x1 convolution of the shortcut adds what the body gives."""
    build, x = _build(12)
    fork = build.add("fork", Fork(build.spec(x)), x)
    body = build.conv("conv3", build.conv("conv2", fork, 6, stride), 6)
    skip = build.subsample("sub", fork, stride) if stride > 1 else fork
    build.mac("shortcut.mac", skip, 6, U8, body)
    return verify(Graph(tuple(build.nodes)))


def nested() -> Graph:
    """a(x) + (b(x) + c(x)): each addition in the convolution of its first map."""
    build, x = _build(12)
    fork = build.add("fork", Fork(build.spec(x), 3), x)
    c = build.conv("c2", build.conv("c1", fork, 6), 6)
    build.mac("a.mac", fork, 6, U8, build.conv("b", fork, 6, skip=c))
    return verify(Graph(tuple(build.nodes)))


def enlarged() -> Graph:
    """A map beside its own maxima, enlarged: C++ reads a row while it gives the first copies of the one before."""
    build, x = _build(12)
    fork = build.add("fork", Fork(build.spec(x)), x)
    pool = build.add("pool", MaxPool(build.spec(fork), 2, 2, 0), fork)
    up = build.add("up", Upsample(build.spec(pool), 2), pool)
    build.add("join", Concat(build.spec(fork), build.spec(up)), fork, up)
    return verify(Graph(tuple(build.nodes)))


NETS = {"stride1": shortcut_first(1), "stride2": shortcut_first(2), "nested": nested(), "enlarged": enlarged()}


@pytest.mark.slow
@pytest.mark.parametrize("net", NETS)
def test_a_shortcut_that_hosts_the_addition_does_not_deadlock(net: str, tmp_path: Path):
    schedule = plan(NETS[net], load("pynq-z2"))
    images = np.random.default_rng(7).integers(0, 256, (3, 12, 12, 3)).astype(np.uint8)
    write_changed(emit_hls(schedule), tmp_path)
    values, _ = csim(schedule, tmp_path / "hls", tmp_path / "work", images, bounded=True)
    np.testing.assert_array_equal(values, interpreter.output(schedule.graph, images).values.reshape(3, -1))


def test_frames_that_come_very_slowly_arrive():
    interval = 1e9 * BEATS
    ends = {(node.name, port) for node in THREE for port in range(len(node.inputs))}
    foldings = {node.name: node.op.folding() for node in THREE}
    found = simulate(THREE, foldings, dict.fromkeys(ends, 1000), interval)
    assert found.interval == pytest.approx(interval, rel=1e-6)
