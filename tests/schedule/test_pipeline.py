"""The model of the pipeline against the RTL of random networks, and what it says of FIFOs."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from penni_hls.backends.rtl import bench, verilator
from penni_hls.backends.rtl.emit import emit_rtl
from penni_hls.ir import interpreter
from penni_hls.ir.fixed import QType
from penni_hls.ir.graph import Graph, TensorSpec
from penni_hls.ir.ops import BasisConv, Fork, Input
from penni_hls.ir.ops.base import Folding
from penni_hls.schedule import Link, Prediction, Proof, Schedule, plan
from penni_hls.schedule.links import Sizing
from penni_hls.schedule.pipeline import Pipeline, simulate
from penni_hls.target.boards import load
from penni_hls.target.memory import ram_style
from tests.networks import NetworkBuilder, random_resnet

FRAMES = 9
NETS = {
    "rows_in_groups": {"widths": (14,), "size": 12, "bases": 5},
    "strides": {"widths": (4, 8), "size": 10, "option_b": True, "seed": 1},
    "option_a": {"widths": (6, 12), "size": 8, "blocks": 2, "seed": 2},
    "small_maps": {"widths": (4,), "size": 6, "blocks": 2, "density": 0.4, "seed": 3},
}


@cache
def schedule_of(net: str) -> Schedule:
    return plan(random_resnet(**NETS[net]), load("pynq-z2"))


def in_rtl(schedule: Schedule, frames: int, folder: Path) -> tuple[bench.PhaseResult, dict[str, int]]:
    """Random images through the RTL without a stall: how that went, and what each FIFO held at most."""
    for name, text in emit_rtl(schedule).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sources = [path.resolve() for path in sorted(folder.rglob("*.sv"))]
    model = verilator.build(sources, "penni_top", folder / "model", parameters=bench.TRACK)
    images = np.random.default_rng(1).integers(0, 256, (frames, *schedule.graph.input.op.spec.shape)).astype(np.uint8)
    expected = interpreter.output(schedule.graph, images).values
    memories = sorted(folder.rglob("*.mem"))
    result = bench.simulate_top(model, schedule, images, expected, (bench.SMOOTH,), folder / "run", memories=memories)
    (phase,) = result.phases["top"]
    assert phase.passed
    return phase, result.high_water


@pytest.mark.slow
@pytest.mark.parametrize("net", NETS)
def test_rate_latency_and_fifos_as_in_rtl(net: str, tmp_path: Path):
    schedule = schedule_of(net)
    phase, high_water = in_rtl(schedule, FRAMES, tmp_path)
    steady = sum(phase.frame_cycles[-4:]) / 4
    assert abs(schedule.prediction.cycles_per_image / steady - 1) <= 0.02
    assert abs(schedule.prediction.latency / phase.latency - 1) <= 0.05
    links = bench.fifo_paths(schedule)
    for path, most in high_water.items():
        assert most <= links[path].depth + 1  # the word in its output register


@pytest.mark.parametrize("net", NETS)
def test_deeper_fifos_would_not_be_worth_it(net: str):
    schedule = schedule_of(net)
    ends = dict.fromkeys(((link.dst, link.port) for link in schedule.links), math.inf)
    unlimited = simulate(schedule.graph, schedule.foldings, ends)
    assert schedule.prediction.cycles_per_image <= 1.02 * unlimited.interval


def late_network() -> tuple[Graph, dict[str, Folding]]:
    """Its FIFOs hold more of the first images than of later ones: only these come at the steady rate."""
    build = NetworkBuilder(np.random.default_rng(0), bases=1, density=1.0)
    pixels = build.add("input", Input(TensorSpec((5, 5, 4), QType(8, False))))
    fork = build.add("fork", Fork(build.spec(pixels)), pixels)
    beside = build.mac("beside", fork, 12, QType(8, True))
    taps = np.eye(25, dtype=np.int64).reshape(25, 5, 5)
    basis = BasisConv(build.spec(fork), taps, (0,) * 25, QType(8, False), (1, 1), (2, 2, 2, 2), np.zeros(4, np.int64))
    build.mac("mac", build.add("basis", basis, fork), 12, QType(8, False), skip=beside)
    graph = Graph(tuple(build.nodes))
    foldings = {node.name: node.op.folding() for node in graph}
    foldings["beside"] = graph.by_name["beside"].op.folding(4, 2)
    foldings["basis"], foldings["mac"] = basis.folding(16), graph.by_name["mac"].op.folding(16, 12)
    return graph, foldings


@pytest.mark.slow
def test_the_rate_of_images_that_come_late(tmp_path: Path):
    graph, foldings = late_network()
    depths = {("beside", 0): 96, ("basis", 0): 32, ("mac", 1): 1088}
    found = simulate(graph, foldings, depths)
    first = (found.ends[4] - found.ends[0]) / 4
    assert found.fill > 4 and found.interval > 1.05 * first
    links = tuple(
        Link(graph.by_name[dst].inputs[port], dst, port, depth, 8, ram_style(depth, 8), depth)
        for (dst, port), depth in depths.items()
    )
    prediction = Prediction(math.ceil(found.interval), found.fill, found.latency, {})
    proof = Proof(1, 1, None)
    schedule = Schedule(graph, load("pynq-z2"), foldings, links, prediction, proof)
    phase, _ = in_rtl(schedule, found.fill + 9, tmp_path)
    assert abs(found.interval / (sum(phase.frame_cycles[-8:]) / 8) - 1) <= 0.02
    assert abs(first / (sum(phase.frame_cycles[:4]) / 4) - 1) <= 0.02


def test_halves_of_a_memory_that_take_turns():
    """Intervals of 15 and 18 cycles alternate for ever: that is steady."""
    build = NetworkBuilder(np.random.default_rng(0), bases=1, density=1.0)
    pixels = build.add("input", Input(TensorSpec((1, 1, 1), QType(8, False))))
    build.mac("fc", build.mac("mac", pixels, 7, QType(8, False)), 10, QType(8, False))
    schedule = plan(Graph(tuple(build.nodes)), load("ultra96-v2"))
    found = simulate(schedule.graph, schedule.foldings, {(link.dst, link.port): link.depth for link in schedule.links})
    intervals = np.diff(found.ends)
    assert len(set(intervals[-4:])) == 2 and found.interval == intervals[-4:].mean()
    assert found.fill < 30


@pytest.mark.parametrize("net", NETS)
def test_no_operator_begins_before_those_that_it_reads(net: str):
    """Also where a group's words need more cycles than its columns, so that it starts while pixels are still missing."""
    graph = schedule_of(net).graph
    foldings = {node.name: node.op.folding() for node in graph}
    found = simulate(graph, foldings, dict.fromkeys(Sizing(graph, foldings).edges, math.inf))
    pixels = graph.input.op.spec.pixels
    for node in graph.nodes[1:]:
        begin, end = found.spans[node.name]
        assert min(found.spans[name][0] for name in node.inputs) <= begin < end
        if isinstance(node.op, BasisConv) and node.inputs != (graph.input.name,):
            assert begin > pixels / 4  # behind rows of the first convolution


@pytest.mark.parametrize(
    ("intervals", "period", "fill"),
    [
        ([10] * 40, 1, 3),  # FIFOs may have filled all the while
        ([10] * 12 + [14] * 5, 1, 12),
        ([10] * 12 + [14] * 2, 1, 12),
        ([8, 12] * 20, 1, 3),
        ([30] * 9 + [8, 12] * 4, 1, 9),
        ([9, 9, 14] * 5 + [10, 10, 10] * 3, 3, 15),
    ],
)
def test_the_fill_ends_where_the_rate_begins(intervals: list[int], period: int, fill: int) -> None:
    ends = tuple(np.cumsum([25.0, *intervals]).tolist())
    assert Pipeline(ends, period, 25, {}, {}, {}).fill == fill
