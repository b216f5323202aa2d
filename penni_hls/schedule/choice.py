"""One option of each stage: a multiple-choice knapsack, solved as a mixed-integer linear program (HiGHS).

The fewest cycles within a budget are a minimum of maxima, whose linear relaxation says little. So the rate is found by
bisection over the cycles that occur: at each, the options that are slower are dropped, and the program says whether some
choice among the others fits. At the best rate a second program minimises the hardware.

Copies of a network have the same options, stage by stage. They are one variable, how many of the copies take an option:
as many variables for each copy would be the same choice in any order of the copies, over and over.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True, eq=False)
class _Alike:
    """Stages with the same options. stages: of each, the names of its nodes."""

    options: Options
    stages: tuple[tuple[str, ...], ...]

    def within(self, cycles: float) -> _Alike:
        return _Alike(self.options.within(cycles), self.stages)


def _alike(stages: Sequence[Options]) -> list[_Alike]:
    groups: dict[tuple[int, int], list[Options]] = {}
    for stage in stages:
        groups.setdefault((id(stage.cost), id(stage.cycles)), []).append(stage)
    return [_Alike(group[0], tuple(stage.nodes for stage in group)) for group in groups.values()]


def fastest(stages: Sequence[Options], budget: np.ndarray, below: float = math.inf) -> Choice | None:
    """The fewest cycles within `budget` (resources,), by the least hardware; None where nothing with fewer than `below`
    fits."""
    clock, alike = Clock(), _alike(stages)
    slowest = max(int(stage.cycles.min()) for stage in stages)
    rates = sorted({rate for stage in stages for rate in stage.cycles.tolist() if slowest <= rate < below})

    def fast(index: int) -> list[_Alike]:
        return [group.within(rates[index]) for group in alike]

    # Where not even parts of options fit, nothing does; from there on few rates are too fast. rates[low] is too fast.
    low = bisect_left(range(len(rates)), True, key=lambda index: _parts_fit(fast(index), budget, clock)) - 1
    # rates[high] is slow enough, rates[proven] proven to be too fast.
    proven, high, step, fits = low, len(rates), 1, None
    while high - low > 1:
        middle = (low + high) // 2 if fits else min(low + step, high - 1)
        step, options = 2 * step, fast(middle)
        try:
            found = _solve(options, budget, 1.0, clock)
        except _Unknown:
            low = middle
            continue
        if found is None:
            low = proven = middle
        else:
            high, fits = middle, (options, found[0])
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
    fast = [group.within(cycles) for group in _alike(stages)]
    try:
        found = _solve(fast, budget, GAP, clock or Clock())
    except _Unknown:
        return None
    return None if found is None else _choice(fast, *found, bound)


def smallest(stages: Sequence[Options], budget: np.ndarray) -> Choice:
    """Where nothing fits: the choice whose scarcest resource is exceeded least."""
    cheap = [group.within(math.inf) for group in _alike(stages)]
    found = _solve(cheap, budget, GAP, Clock(), stretch=True)
    assert found is not None  # any choice fits a budget that may be stretched
    return _choice(cheap, *found, None)


def _choice(groups: Sequence[_Alike], picks: Sequence[np.ndarray], gap: float, bound: int | None) -> Choice:
    cycles, foldings, cost = 0, {}, np.zeros(groups[0].options.cost.shape[1])
    for group, chosen in zip(groups, picks):
        for names, pick in zip(group.stages, chosen, strict=True):
            foldings |= dict(zip(names, group.options.at(pick).values(), strict=True))
            cycles, cost = max(cycles, int(group.options.cycles[pick])), cost + group.options.cost[pick]
    return Choice(foldings, cost, cycles, cycles if bound is None else bound, gap)


def _parts_fit(groups: Sequence[_Alike], budget: np.ndarray, clock: Clock) -> bool:
    """Whether a mixture of each stage's options fits, or none is known not to."""
    try:
        return _solve(groups, budget, math.inf, clock) is not None
    except _Unknown:
        return True


def _solve(
    groups: Sequence[_Alike], budget: np.ndarray, gap: float, clock: Clock, *, stretch: bool = False
) -> tuple[list[np.ndarray], float] | None:
    """-> (for each group the options of its stages, gap), or None where nothing fits.

    gap: that is allowed; 1 for any choice, infinite for any mixture of options. stretch: the budget may be exceeded, all
    of it by the same factor, which is minimised. Raises _Unknown.
    """
    costs = [group.options.cost for group in groups]
    present = np.any([cost.any(0) for cost in costs], axis=0) | (budget > 0)  # what a device lacks, nothing uses
    costs, budget = [cost[:, present] for cost in costs], budget[present]
    if not stretch and (budget <= 0).any():
        return None
    shares, counts = [cost / budget for cost in costs], [len(group.stages) for group in groups]
    if not stretch and (sum(count * share.min(0) for share, count in zip(shares, counts)) > 1).any():
        return None
    if gap >= 1:  # any choice will do: often the cheapest one fits
        cheapest = [share.sum(1).argmin() for share in shares]
        if (sum(count * share[pick] for share, pick, count in zip(shares, cheapest, counts)) <= 1).all():
            return [np.full(count, pick) for pick, count in zip(cheapest, counts)], gap
    # Here, not above: they take half a second, which processes that only work out options have no use for.
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import block_diag, csr_array, hstack, vstack

    one_each = block_diag([np.ones((1, len(share))) for share in shares], format="csr")
    used = csr_array(np.concatenate(shares).T)
    price = np.concatenate(shares).sum(1)
    if stretch:
        one_each = hstack([one_each, csr_array((len(shares), 1))], format="csr")
        used = hstack([used, csr_array(-np.ones((len(budget), 1)))], format="csr")
        price = np.append(GAP * price, float(sum(counts)))
    rows = vstack([one_each, used], format="csr")
    low = np.concatenate([counts, np.full(len(budget), -np.inf)])
    high = np.concatenate([counts, np.full(len(budget), 0.0 if stretch else 1.0 - FITS)])
    most = np.repeat(np.array(counts, np.float64), [len(share) for share in shares])
    result = milp(
        price if gap < math.inf else np.zeros(len(price)),
        constraints=LinearConstraint(rows, low, high),
        integrality=np.append(np.full(len(most), gap < math.inf), [0] * stretch),
        bounds=Bounds(0, np.append(most, [np.inf] * stretch)),
        options={"mip_rel_gap": gap, "node_limit": NODES, "time_limit": clock.next()},
    )
    if result.status == 2:
        return None
    if result.x is None:
        raise _Unknown
    ends = np.cumsum([0, *map(len, shares)])
    taken = np.rint(result.x).astype(np.int64)
    picks = [np.repeat(np.arange(b - a), taken[a:b]) for a, b in zip(ends, ends[1:])]
    return picks, float(result.mip_gap or 0.0)
