"""Copies of a network: the same results in the same order, in each engine, and at the rate that the model predicts."""

from __future__ import annotations

import math
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import pytest

from penni_hls.backends.hls.emit import emit_hls
from penni_hls.backends.hls.gxx import csim, write_changed
from penni_hls.backends.rtl import bench, verilator
from penni_hls.backends.rtl.emit import emit_rtl
from penni_hls.ir import interpreter
from penni_hls.ir.graph import verify
from penni_hls.ir.images import copies, frames_of, images_of
from penni_hls.schedule import Schedule, copied, copy_count, plan, plan_copies
from penni_hls.schedule.copies import beats, tails
from penni_hls.schedule.copy_count import WORTH
from penni_hls.schedule.folding import draft
from penni_hls.schedule.stages import row, stages
from penni_hls.target.boards import load
from tests.networks import random_resnet

from .test_choice import cycles_of

GRAPH = random_resnet(widths=(4,), size=6, blocks=1, seed=3)
BOARD = load("pynq-z2")


def images_for(count: int) -> np.ndarray:
    shape = GRAPH.input.op.out_spec.shape
    return np.random.default_rng(5).integers(0, 256, (count, *shape)).astype(np.uint8)


PARTS = [
    (1, None, 1),
    *((count, tail, values) for count in (2, 3, 4) for tail in tails(GRAPH, count) for values in (1, 4)),
]
TAILS = [(3, tail, 1) for tail in tails(GRAPH, 3) if tail]


@pytest.fixture(scope="module", params=[(2, None, 1), (3, None, 1), (3, None, 4), *TAILS])
def schedule(request) -> Schedule:
    return plan(copied(GRAPH, *request.param), BOARD)


@pytest.mark.parametrize("count, tail, values", PARTS)
@pytest.mark.parametrize("images", [1, 2, 5, 8])
def test_the_reference_gives_the_same_results_in_the_same_order(count: int, tail: str | None, values: int, images: int):
    graph = verify(copied(GRAPH, count, tail, values))
    assert copies(graph) == count
    frames = frames_of(graph)
    for node in graph:
        alone = node.name in GRAPH.by_name or node.name == "deal" or node.name.startswith("merge")
        assert frames[node.name] == (1 if not alone or node.op.takes * node.op.gives > 1 else count)
    pixels = images_for(images)
    values = interpreter.run(graph, pixels)
    expected = interpreter.output(GRAPH, pixels).values
    np.testing.assert_array_equal(values[graph.output.name].values, expected)
    assert {name: len(value.values) for name, value in values.items()} == images_of(graph, images)


def test_a_copy_counts_as_part_of_an_image(schedule: Schedule):
    alone = plan(GRAPH, BOARD)
    assert schedule.products == alone.products and schedule.copies > 1 == alone.copies
    frames = frames_of(schedule.graph)
    assert schedule.mac_bound <= schedule.cycles_per_image
    assert max(schedule.stream_bound, schedule.cycles[schedule.slowest]) <= schedule.cycles_per_image
    found = (
        frames[stage[0].name] * cycles_of(stage, [schedule.foldings[node.name] for node in stage])
        for stage in stages(schedule.graph)
    )
    assert schedule.proof.cycles == ceil(max(found) / schedule.copies)


def test_copies_are_faster_where_streams_bind(schedule: Schedule):
    """One copy is bound by streams of one value per cycle, with most of the board unused."""
    alone = plan(GRAPH, BOARD)
    assert alone.total.dsp < BOARD.dsp / 4
    pixels = GRAPH.input.op.out_spec
    enter = pixels.pixels * pixels.shape[2] / schedule.graph.input.op.values  # a beat per cycle, whatever the copies
    assert schedule.cycles_per_image < 1.1 * max(alone.cycles_per_image / schedule.copies, enter)


@pytest.fixture(scope="module")
def alone() -> Schedule:
    return plan(GRAPH, BOARD)


def test_more_are_taken_where_they_are_faster(alone: Schedule):
    """By what the model of the pipeline predicts, FIFOs included."""
    best, stages = plan_copies(GRAPH, BOARD)
    assert best.copies > 1 and best.fits and best.cycles_per_image < (1 - WORTH) * alone.cycles_per_image
    assert [name for stage in stages for name in stage.nodes] == [node.name for node in best.instances]


def test_wide_words_are_dealt_out_where_pixels_come_too_slowly(alone: Schedule):
    """36 pixels of 3 bytes; the maps behind them are 36 x 4 in each copy. 4 bytes a cycle are as many as the port has."""
    narrow, wide = (plan_copies(GRAPH, BOARD, values=values)[0] for values in (1, 4))
    assert (
        narrow.cycles_per_image
        >= narrow.stream_bound
        == 108
        == 4 * wide.graph.by_name["deal"].op.cycles(wide.foldings["deal"]) // wide.copies
    )
    assert wide.graph.input.op.values == 4 and wide.stream_bound == 144 / wide.copies
    assert wide.cycles_per_image < 0.6 * narrow.cycles_per_image and wide.fits
    for part in ((1, None, 4), (2, None, 8), (2, None, 1)):  # one copy; 8 do not divide 108; the port is narrow
        assert list(beats(GRAPH, *part)) == [1]
    wider = random_resnet(widths=(16,), size=6, blocks=1, seed=3)  # 576 values, more than 4 times 108
    assert all(list(beats(wider, count, None, 4)) == [1] for count in (1, 2, 3, 4))
    assert list(beats(GRAPH, 2, None, 4)) == [1, 4]


@pytest.mark.parametrize("count", [1, 2])
def test_a_given_number_is_taken(count: int):
    assert plan_copies(GRAPH, BOARD, count=count)[0].copies == count


def test_a_rate_that_one_reaches_takes_one(alone: Schedule):
    assert plan_copies(GRAPH, BOARD, fps=alone.images_per_second / 4)[0].copies == 1


def test_a_rate_that_one_does_not_reach_takes_the_fewest(alone: Schedule):
    found, _ = plan_copies(GRAPH, BOARD, fps=1.3 * alone.images_per_second)
    assert found.copies == 2 and found.fits
    fastest, _ = plan_copies(GRAPH, BOARD)
    assert row(found.total).sum() < row(fastest.total).sum()


def test_nothing_is_tried_where_one_fills_the_board(alone: Schedule, monkeypatch: pytest.MonkeyPatch):
    """The bound alone says so: two can neither be listed nor planned."""
    planned: list[int] = []
    monkeypatch.setattr(copy_count, "draft", lambda graph, *args: planned.append(copies(graph)) or draft(graph, *args))
    for board in (replace(BOARD, lut=4_500), replace(BOARD, lut=200)):
        assert plan_copies(GRAPH, board)[0].copies == 1
    assert planned == [1, 1]


def test_where_the_part_that_is_there_once_may_begin():
    """Its streams are no slower than those of the copies, and nothing but whole maps enters it."""
    graph = random_resnet(widths=(4, 8, 16), size=16, blocks=1, seed=3)
    widest = max(math.prod(spec.shape) for node in graph for spec in node.op.in_specs if not spec.tiled)
    for count in (2, 3, 4):
        whole, *found = tails(graph, count)
        assert whole is None and found
        for tail in found:
            part = verify(copied(graph, count, tail))
            single = [node for node in part if node.name in graph.by_name and node.inputs]
            maps = [spec for node in single for spec in node.op.in_specs if not spec.tiled]
            assert single[0].name == tail and max(math.prod(spec.shape) for spec in maps) <= widest / count
            assert len(part.nodes) - len(single) > len(graph.nodes)


@pytest.mark.slow
@pytest.mark.parametrize("images", [1, 5])
def test_cpp(schedule: Schedule, images: int, tmp_path: Path):
    """Also where the last round is not complete."""
    pixels = images_for(images)
    write_changed(emit_hls(schedule), tmp_path)
    values, _ = csim(schedule, tmp_path / "hls", tmp_path / "work", pixels, bounded=True)
    np.testing.assert_array_equal(values, interpreter.output(GRAPH, pixels).values.reshape(images, -1))


@pytest.mark.slow
def test_rtl(schedule: Schedule, tmp_path: Path):
    """Rate, latency and FIFOs as predicted, every TLAST in its place, and an incomplete last round comes out too."""
    for name, text in emit_rtl(schedule).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sources = [path.resolve() for path in sorted(tmp_path.rglob("*.sv"))]
    model = verilator.build(sources, "penni_top", tmp_path / "model", parameters=bench.TRACK)
    count = 6 * schedule.copies + 1
    pixels = images_for(count)
    expected = interpreter.output(schedule.graph, pixels).values
    memories = sorted(tmp_path.rglob("*.mem"))
    phases = (bench.SMOOTH, bench.STALLS)
    result = bench.simulate_top(model, schedule, pixels, expected, phases, tmp_path / "run", memories=memories)
    for phase in result.phases["top"]:
        assert phase.complaint is None
    smooth = result.phases["top"][0]
    behind = smooth.frame_cycles[-2 * schedule.copies :]
    assert abs(schedule.prediction.cycles_per_image / (sum(behind) / len(behind)) - 1) <= 0.02
    assert abs(schedule.prediction.latency / smooth.latency - 1) <= 0.05
    links = bench.fifo_paths(schedule)
    for path, most in result.high_water.items():
        assert most <= links[path].depth + 1
