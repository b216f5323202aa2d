"""Widths and foldings in one choice: against all choices there are, of small random problems."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from penni_hls.schedule.stages import RESOURCES
from penni_hls.schedule.widths import GRAIN, PARTS, RESOLUTION, Variant, fewest

BUDGET = np.array([{"lut": 1500.0, "ff": 1e9, "dsp": 30.0, "bram36": 12.0, "uram": 0.0}[name] for name in RESOURCES])


def problem(seed: int, stages: int = 3, variants: int = 3, options: int = 4) -> tuple[tuple[Variant, ...], ...]:
    """Costs are whole grains, errors whole parts of 1: the program sees them as they are."""
    rng = np.random.default_rng(seed)
    most = {"lut": 60, "dsp": 20, "bram36": 14, "ff": 9, "uram": 1}

    def variant(widest: bool) -> Variant:
        cost = np.column_stack([rng.integers(0, most[name], options) * GRAIN.get(name, 1.0) for name in RESOURCES])
        cost[:, RESOURCES.index("uram")] = 0
        return Variant(rng.integers(100, 2000, options), cost, 0.0 if widest else int(rng.integers(0, 60)) / PARTS)

    return tuple(tuple(variant(index == 0) for index in range(variants)) for _ in range(stages))


def exhaustive(stages: tuple[tuple[Variant, ...], ...], allowed: float) -> float:
    """The fewest cycles of all choices."""
    offered = [[(v, i) for v in stage for i in range(len(v.cycles))] for stage in stages]
    best = np.inf
    for choice in itertools.product(*offered):
        cost = sum(variant.cost[index] for variant, index in choice)
        if (cost <= BUDGET).all() and sum(variant.error for variant, _ in choice) <= allowed + 1e-12:
            best = min(best, max(variant.cycles[index] for variant, index in choice))
    return best


@pytest.mark.parametrize("seed", range(25))
def test_the_fewest_cycles_of_all_choices(seed: int) -> None:
    stages, allowed = problem(seed), 40 / PARTS
    wanted = exhaustive(stages, allowed)
    found = fewest(stages, BUDGET * (1 + 1e-5), allowed + 1e-9, 1.0)  # HiGHS may be off by a little
    if wanted == np.inf:
        assert found is None
        return
    assert found is not None and wanted <= found.cycles <= wanted * (1 + 2 / RESOLUTION) + 1
    picked = [stage[pick] for stage, pick in zip(stages, found.picks)]
    assert sum(variant.error for variant in picked) == pytest.approx(found.error) and found.error <= allowed + 1e-9
    only = tuple((variant,) for variant in picked)
    assert exhaustive(only, np.inf) <= found.cycles


def test_nothing_fits() -> None:
    assert fewest(problem(1), BUDGET / 100, 1.0, 1.0) is None
