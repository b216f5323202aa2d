"""The driver's own code on the RTL of the accelerator in its shell, with a modelled DMA engine, in Verilator."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from penni_hls import generate, simulate
from penni_hls.backends.board.system import SystemRun, simulate_system
from penni_hls.ir import interpreter
from penni_hls.project import Project, read

RESNET8 = Path(__file__).resolve().parents[3] / "examples" / "resnet8.pt"


def reference(project: Project, images: np.ndarray) -> np.ndarray:
    return interpreter.output(project.graph, images).values.reshape(len(images), -1)


def pictures(project: Project, count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, *project.graph.input.op.out_spec.shape), np.uint8)


def check_batches(project: Project, run: SystemRun, images: np.ndarray) -> None:
    """Results as the reference's, in time, with counters that agree with what the simulator counted."""
    np.testing.assert_array_equal(run.results, reference(project, images))
    found, schedule, count = run.found, project.schedule, len(images)
    counters = found["counters"]
    own = schedule.prediction.latency + (count - 1) * schedule.cycles_per_image
    assert own * 0.99 < found["cycles"] < 1.03 * own  # a batch after the other, with all that the driver does
    assert counters["images_in"] == counters["images_out"] == count
    assert abs(counters["cycles"] - found["cycles"]) < 1000  # two readings of a few registers
    assert own * 0.99 < counters["busy"] <= counters["cycles"]
    # Behind the last pixel it asks for more until it has emptied, no longer than an image takes through it.
    assert 0 <= counters["starved"] < 0.03 * counters["busy"] + schedule.prediction.latency
    assert 0 <= counters["blocked"] < 0.03 * counters["busy"]
    assert re.fullmatch(r"AcceleratorError: the bitstream holds another network \(digest .*", found["refused"])
    assert found["clock_mhz"] == schedule.board.clock_mhz and found["left"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("copies", [1, 2])
def test_64_images_of_resnet8_in_batches(copies: int, tmp_path: Path) -> None:
    """The one of one copy has counters for each operator, which the driver reads by name."""
    project = generate(RESNET8, tmp_path / "p", copies=copies, counters=copies == 1)
    assert project.schedule.copies == copies
    images = pictures(project, 64)
    run = simulate_system(project, images, "batches", batch=16)
    check_batches(project, run, images)
    operators, busy = run.found["operators"], run.found["counters"]["busy"]
    assert list(operators) == [node.name for node in project.schedule.instances if copies == 1]
    assert all(starved + blocked <= busy for starved, blocked in operators.values())


@pytest.mark.slow
def test_faults(small_project: Path) -> None:
    """Ctrl-C, soft reset in mid-frame, an engine that stops or fails: what is told, and that the next batch is right."""
    project = read(small_project)
    images, cycles = pictures(project, 6), project.schedule.cycles_per_image
    interrupts = [0, 9, 14, 19, 25, 40]
    arguments = {
        "timeout": 30 * cycles / 125e6, "interrupts": interrupts, "stop_after": 1000,
        "block": project.schedule.prediction.latency + 5000,
    }  # fmt: skip
    run = simulate_system(project, images, "faults", batch=2, limit=2000 * cycles, arguments=arguments)
    found = run.found
    for results in run.results:
        np.testing.assert_array_equal(results, reference(project, images))
    assert len(run.results) == 6 + len(interrupts) == sum(name.endswith(": errors") for name in found)
    assert found["interrupts"] == len(interrupts)
    counters = found["counters"]
    assert counters["images_in"] == counters["images_out"] == 6
    assert abs(counters["cycles"] - found["span"]) < 1000 and counters["blocked"] == found["blocked"]
    assert counters["busy"] <= found["busy at most"] + 1
    counted, watched = found["blocked for a while"]
    assert counted == watched > 2000
    assert found["in flight"] & 1 and not found["idle"] & 0xFFFF001F
    assert not any(value for name, value in found.items() if name.endswith(": errors"))
    sent = (
        r"AcceleratorTimeout: the DMA engine did not send pixels of 2 images within .* s: (\d+) images in, .*; it waits"
    )
    assert re.match(
        sent + r" for pixels that the DMA engine does not send; DMA status: send 0x0, receive 0x", found["send stops"]
    )
    assert "a result waits, and the DMA engine does not take it" in found["receive stops"]
    assert found["slave error"].startswith(
        "BoardError: the DMA engine has stopped: slave error: memory refused an access"
    )
    found_by_engine = simulate(project, "system", count=8)
    assert found_by_engine.bit_exact and found_by_engine.cycles_per_image < 1.1 * cycles
    assert found["validate"] == "8 images, 80 results: all as expected" and found["left"] == 0
