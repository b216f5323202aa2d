"""One option of each stage: a multiple-choice knapsack, solved as a mixed-integer linear program (HiGHS).

The fewest cycles within a budget are a minimum of maxima, whose linear relaxation says little. So the rate is found by
bisection over the cycles that occur: at each, the options that are slower are dropped, and the program says whether some
choice among the others fits. At the best rate a second program minimises the hardware.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_diag, csr_array, hstack, vstack

from ..ir.ops.base import Folding
from .stages import Options

GAP = 0.001  # of the hardware: a choice is taken that is proven to be no more above the least
NODES = 20_000  # of one search tree: a limit that is the same on every machine
SECONDS = 10.0  # for one program, where a machine is so slow that NODES take longer
TOTAL = 25.0  # for all programs of one search
FITS = 2e-6  # of a budget: what HiGHS may exceed it by


@dataclass(frozen=True, eq=False)
class Choice:
    """foldings: by node. cost: (resources,), of all stages. cycles: of the slowest one. bound: no choice that fits needs
    fewer. gap: the hardware is at most this share above the least at these cycles; `inf` where a limit was hit before
    that was known."""

    foldings: dict[str, Folding]
    cost: np.ndarray
    cycles: int
    bound: int
    gap: float


class _Unknown(Exception):
    """A limit was hit before a program had a solution."""


class Clock:
    """The time that one search may take."""

    def __init__(self, seconds: float = TOTAL) -> None:
        self._end = time.monotonic() + seconds

    def next(self) -> float:
        """Seconds for the next program."""
        return max(0.1, min(SECONDS, self._end - time.monotonic()))


def fastest(stages: Sequence[Options], budget: np.ndarray) -> Choice | None:
    """The fewest cycles within `budget` (resources,), by the least hardware; None where nothing fits."""
    clock = Clock()
    slowest = max(int(stage.cycles.min()) for stage in stages)
    rates = sorted({rate for stage in stages for rate in stage.cycles.tolist() if rate > slowest} | {slowest})
    low, high, proven = -1, len(rates), -1  # rates[low] is too fast, rates[high] is not; rates[proven] is proven to be
    fits = None
    while high - low > 1:
        middle = 0 if high == len(rates) and low < 0 else (low + high) // 2  # small networks run as fast as they can
        fast = [stage.within(rates[middle]) for stage in stages]
        try:
            found = _solve([stage.cost for stage in fast], budget, 1.0, clock)
        except _Unknown:
            low = middle
            continue
        if found is None:
            low = proven = middle
        else:
            high, fits = middle, (fast, found[0])
    if fits is None:
        return None
    bound = rates[proven + 1]
    return least(stages, budget, rates[high], bound, clock) or _choice(*fits, math.inf, bound)


def least(
    stages: Sequence[Options], budget: np.ndarray, cycles: float, bound: int | None = None, clock: Clock | None = None
) -> Choice | None:
    """The least hardware that needs at most so many cycles: the smallest sum of shares of `budget`. None where nothing
    fits (or where the limits are hit before it is known)."""
    if any(stage.cycles.min() > cycles for stage in stages):
        return None
    fast = [stage.within(cycles) for stage in stages]
    try:
        found = _solve([stage.cost for stage in fast], budget, GAP, clock or Clock())
    except _Unknown:
        return None
    return None if found is None else _choice(fast, *found, bound)


def smallest(stages: Sequence[Options], budget: np.ndarray) -> Choice:
    """Where nothing fits: the choice whose scarcest resource is exceeded least."""
    cheap = [stage.within(math.inf) for stage in stages]
    found = _solve([stage.cost for stage in cheap], budget, GAP, Clock(), stretch=True)
    assert found is not None  # any choice fits a budget that may be stretched
    return _choice(cheap, *found, None)


def _choice(stages: Sequence[Options], picks: np.ndarray, gap: float, bound: int | None) -> Choice:
    cycles = max(int(stage.cycles[pick]) for stage, pick in zip(stages, picks))
    foldings = {name: folding for stage, pick in zip(stages, picks) for name, folding in stage.at(pick).items()}
    cost = sum((stage.cost[pick] for stage, pick in zip(stages, picks)), np.zeros(stages[0].cost.shape[1]))
    return Choice(foldings, cost, cycles, cycles if bound is None else bound, gap)


def _solve(
    costs: Sequence[np.ndarray], budget: np.ndarray, gap: float, clock: Clock, *, stretch: bool = False
) -> tuple[np.ndarray, float] | None:
    """costs: (options, resources) of each stage -> (the option of each stage, gap), or None where nothing fits.

    stretch: the budget may be exceeded, all of it by the same factor, which is minimised. Raises _Unknown.
    """
    present = np.any([cost.any(0) for cost in costs], axis=0) | (budget > 0)  # what a device lacks, nothing uses
    costs, budget = [cost[:, present] for cost in costs], budget[present]
    if not stretch and (budget <= 0).any():
        return None
    shares = [cost / budget for cost in costs]
    if not stretch and (sum(share.min(0) for share in shares) > 1).any():
        return None
    if gap >= 1:  # any choice will do: often the cheapest one fits
        picks = np.array([share.sum(1).argmin() for share in shares])
        if (sum(share[pick] for share, pick in zip(shares, picks)) <= 1).all():
            return picks, gap
    one_each = block_diag([np.ones((1, len(share))) for share in shares], format="csr")
    used = csr_array(np.concatenate(shares).T)
    price = np.concatenate(shares).sum(1)
    if stretch:
        one_each = hstack([one_each, csr_array((len(shares), 1))], format="csr")
        used = hstack([used, csr_array(-np.ones((len(budget), 1)))], format="csr")
        price = np.append(GAP * price, len(shares) * 1.0)
    rows = vstack([one_each, used], format="csr")
    low = np.concatenate([np.ones(len(shares)), np.full(len(budget), -np.inf)])
    high = np.concatenate([np.ones(len(shares)), np.full(len(budget), 0.0 if stretch else 1.0 - FITS)])
    result = milp(
        price,
        constraints=LinearConstraint(rows, low, high),
        integrality=np.append(np.ones(sum(map(len, shares))), [0] * stretch),
        bounds=Bounds(0, np.append(np.ones(sum(map(len, shares))), [np.inf] * stretch)),
        options={"mip_rel_gap": gap, "node_limit": NODES, "time_limit": clock.next()},
    )
    if result.status == 2:
        return None
    if result.x is None:
        raise _Unknown
    ends = np.cumsum([0, *map(len, shares)])
    picks = np.array([result.x[a:b].argmax() for a, b in zip(ends, ends[1:])])
    return picks, float(result.mip_gap or 0.0)
