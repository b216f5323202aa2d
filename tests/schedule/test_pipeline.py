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
from penni_hls.schedule import Schedule, plan
from penni_hls.schedule.pipeline import simulate
from penni_hls.target.boards import load
from tests.networks import random_resnet

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


@pytest.mark.slow
@pytest.mark.parametrize("net", NETS)
def test_rate_latency_and_fifos_as_in_rtl(net: str, tmp_path: Path):
    schedule = schedule_of(net)
    for name, text in emit_rtl(schedule).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sources = [path.resolve() for path in sorted(tmp_path.rglob("*.sv"))]
    model = verilator.build(sources, "penni_top", tmp_path / "model", parameters=bench.TRACK)
    images = np.random.default_rng(1).integers(0, 256, (FRAMES, *schedule.graph.input.op.spec.shape)).astype(np.uint8)
    expected = interpreter.output(schedule.graph, images).values
    memories = sorted(tmp_path.rglob("*.mem"))
    result = bench.simulate_top(model, schedule, images, expected, (bench.SMOOTH,), tmp_path / "run", memories=memories)
    (phase,) = result.phases["top"]
    assert phase.passed
    steady = sum(phase.frame_cycles[-4:]) / 4
    assert abs(schedule.prediction.cycles_per_image / steady - 1) <= 0.02
    assert abs(schedule.prediction.latency / phase.latency - 1) <= 0.05
    links = bench.fifo_paths(schedule)
    for path, most in result.high_water.items():
        assert most <= links[path].depth + 1  # the word in its output register


@pytest.mark.parametrize("net", NETS)
def test_deeper_fifos_would_not_be_worth_it(net: str):
    schedule = schedule_of(net)
    ends = dict.fromkeys(((link.dst, link.port) for link in schedule.links), math.inf)
    unlimited = simulate(schedule.graph, schedule.foldings, ends)
    assert schedule.prediction.cycles_per_image <= 1.02 * unlimited.interval
