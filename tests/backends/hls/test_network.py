"""A whole network in C simulation: results, traces, stream depths, deadlock."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penni_hls.backends.hls.emit import emit_hls, streams
from penni_hls.backends.hls.gxx import Stuck, build, csim, tensors, write_changed
from penni_hls.ir import interpreter
from penni_hls.schedule import plan
from penni_hls.target.boards import load
from tests.networks import random_resnet

pytestmark = pytest.mark.slow

SCHEDULE = plan(random_resnet(blocks=1, widths=(4, 8), size=8, bases=3), load("pynq-z2"))
IMAGES = np.random.default_rng(7).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("network")
    write_changed(emit_hls(SCHEDULE), folder)
    return folder


@pytest.fixture(scope="module")
def reference():
    return interpreter.run(SCHEDULE.graph, IMAGES)


def test_fast_build_equals_the_reference_on_every_stream(project, reference):
    logits, done = csim(SCHEDULE, project / "hls", project / "work", IMAGES, trace=True)
    np.testing.assert_array_equal(logits, reference[SCHEDULE.graph.output.name].values.reshape(len(IMAGES), -1))
    seen = []
    for stream, values in tensors(SCHEDULE, done):
        np.testing.assert_array_equal(values, reference[stream.src].values, err_msg=stream.name)
        seen.append(stream.src)
    assert set(seen) == {SCHEDULE.graph.input.name, *(node.name for node in SCHEDULE.instances)}


def test_bounded_build_equals_the_reference_and_reports_high_water_marks(project, reference):
    logits, done = csim(SCHEDULE, project / "hls", project / "work", IMAGES, bounded=True)
    np.testing.assert_array_equal(logits, reference[SCHEDULE.graph.output.name].values.reshape(len(IMAGES), -1))
    for stream in streams(SCHEDULE):
        use = done.streams[stream.name]
        assert use.depth == stream.depth
        assert 0 < use.most <= use.depth


def shallow(depth: int):
    """The schedule with the first skip connection's FIFO only `depth` words deep, and that FIFO."""
    link = next(link for link in SCHEDULE.links if link.port == 1)
    changed = replace(link, depth=depth, cpp_depth=depth)
    return replace(SCHEDULE, links=tuple(changed if each is link else each for each in SCHEDULE.links)), changed


def test_a_skip_fifo_that_is_too_shallow_deadlocks_by_name(tmp_path):
    schedule, link = shallow(8)
    write_changed(emit_hls(schedule), tmp_path)
    name = next(s.name for s in streams(schedule) if (s.dst, s.port) == (link.dst, link.port))
    with pytest.raises(Stuck, match=rf"{name} is full"):
        csim(schedule, tmp_path / "hls", tmp_path / "work", IMAGES, bounded=True)


def test_the_bench_compares_with_the_vectors_that_are_emitted(project):
    """Without Python: exit 0 where they agree, 1 and the place where they do not, 2 where a file is cut."""
    bench = build(project / "hls", project / "work")

    def run(folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([bench, "penni_top", "2", folder], capture_output=True, text=True)

    vectors = project / "hls" / "vectors"
    assert run(vectors).returncode == 0
    wrong = project / "wrong"
    wrong.mkdir()
    (wrong / "s_axis.bin").write_bytes((vectors / "s_axis.bin").read_bytes())
    expected = bytearray((vectors / "m_axis.expect.bin").read_bytes())
    expected[4 * 7] ^= 1  # of 5 logits a frame: the third of the second frame
    (wrong / "m_axis.expect.bin").write_bytes(expected)
    done = run(wrong)
    assert done.returncode == 1
    assert '"first_mismatch": {"port": "m_axis", "frame": 1, "word": 2}' in done.stdout
    (wrong / "s_axis.bin").write_bytes(b"\0")
    done = run(wrong)
    assert done.returncode == 2 and "s_axis.bin: 1 bytes; 384 are needed" in done.stderr


def test_a_stream_read_too_often_is_named(tmp_path):
    """The C++ of a layer that takes more than comes: the bench ends and names the stream."""
    files = emit_hls(SCHEDULE)
    pool = files["hls/layers/pool.hpp"]
    assert "PIXELS = 16;" in pool
    files["hls/layers/pool.hpp"] = pool.replace("PIXELS = 16;", "PIXELS = 17;")
    write_changed(files, tmp_path)
    with pytest.raises(Stuck, match=r"pool waits, layer2_0_conv2_mac_to_pool is empty"):
        csim(SCHEDULE, tmp_path / "hls", tmp_path / "work", IMAGES)


def test_a_stream_not_read_to_its_end_is_named(tmp_path):
    files = emit_hls(SCHEDULE)
    files["hls/layers/pool.hpp"] = files["hls/layers/pool.hpp"].replace("PIXELS = 16;", "PIXELS = 15;")
    write_changed(files, tmp_path)
    with pytest.raises(Stuck, match=r"stream layer2_0_conv2_mac_to_pool: 8 words were never read"):
        csim(SCHEDULE, tmp_path / "hls", tmp_path / "work", IMAGES)


def test_nothing_is_compiled_twice(project):
    bench = build(project / "hls", project / "work")
    made = bench.stat().st_mtime_ns
    assert build(project / "hls", project / "work") == bench and bench.stat().st_mtime_ns == made
