"""The cost models are near yosys on networks that they were not fitted to; and yosys still says what the models heard."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))
import cost_points  # noqa: E402
import costs  # noqa: E402

POINTS = cost_points.load()
HELD_OUT = [point for point in POINTS if point.held_out]
NETWORKS = sorted({point.network for point in HELD_OUT})
SHARE, SUM = 0.10, 0.05  # of yosys's figure: for an operator, for all points of a network
LEAST = 100  # LUTs or flip-flops: of what is smaller, the error may be as large as for so many
LOGIC = ("lut", "ff")
PACKED = 0.5  # block RAMs that yosys may save with words of a ROM side by side


def name(point: cost_points.Point) -> str:
    return " ".join((point.network, point.operator, point.kind, point.folding))


def test_every_point_was_synthesized_with_every_kind_on_both_sides() -> None:
    assert all(point.digest and point.yosys and point.lut for point in POINTS)
    kinds = {held: {point.kind for point in POINTS if point.held_out == held} for held in (True, False)}
    assert kinds[True] == kinds[False]
    assert len(HELD_OUT) >= 20


@pytest.mark.parametrize("point", HELD_OUT, ids=name)
def test_an_operator_is_estimated(point: cost_points.Point) -> None:
    found = point.estimate()
    for resource in LOGIC:
        yosys = getattr(point, resource)
        assert abs(getattr(found, resource) - yosys) <= SHARE * max(yosys, LEAST), resource
    assert found.dsp == point.dsp
    assert point.bram36 <= found.bram36 <= point.bram36 + PACKED


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_is_estimated(network: str) -> None:
    points = [point for point in HELD_OUT if point.network == network]
    found = [point.estimate() for point in points]
    for resource in LOGIC:
        wanted = sum(getattr(point, resource) for point in points)
        assert sum(getattr(cost, resource) for cost in found) == pytest.approx(wanted, rel=SUM), resource


def some() -> list[cost_points.Point]:
    """Of each kind that takes most the held-out point in the middle by size."""
    result = []
    for kind in ("basis_conv", "sparse_mac", "depthwise_conv", "max_pool"):
        points = sorted((point for point in HELD_OUT if point.kind == kind), key=lambda point: (point.lut, point.key))
        result.append(points[len(points) // 2])
    return result


@pytest.mark.slow
@pytest.mark.parametrize("point", some(), ids=name)
def test_yosys_still_says_so(point: cost_points.Point) -> None:
    """Else the RTL or yosys has changed: run bench/costs.py, and fit the models where they drift."""
    now = costs.measure(point)
    assert now.yosys == point.yosys
    assert now.measured == point.measured
