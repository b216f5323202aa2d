"""Bits of weights and foldings in one choice: the fewest cycles within a board whose weights add no more than so much error.

Each stage has the options of several *variants*, its operators at different widths of their weights, and each variant
has an error. At a number of cycles a mixed-integer linear program finds the options of least total error that fit; the
fewest cycles at which that is small enough are found by bisection. Its relaxation is near: a stage takes a mixture of
options only for the sake of a resource that binds, and there are few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .choice import FITS, NODES, SECONDS
from .pareto import front
from .stages import RESOURCES

GRAIN = {"lut": 15.0, "dsp": 1.0, "bram36": 0.5, "uram": 1.0}  # costs are told apart no finer; flip-flops never bind
PARTS = 150  # of the error that the network has anyway: nor are errors
RESOLUTION = 200  # the fewest cycles are found to one part in so many
TINY = 1e-30  # an error that stands for none
GAP = 0.01  # of the error


@dataclass(frozen=True, eq=False)
class Variant:
    """Options of a stage: cycles int64 (n,), cost float64 (n, resources). error: what its widths add."""

    cycles: np.ndarray
    cost: np.ndarray
    error: float


@dataclass(frozen=True)
class Widths:
    """picks: of each stage the index of its variant. cycles: of the slowest stage; error: the sum."""

    picks: tuple[int, ...]
    cycles: int
    error: float


def fewest(stages: Sequence[Sequence[Variant]], budget: np.ndarray, allowed: float, own: float) -> Widths | None:
    """The fewest cycles, to one part in RESOLUTION, within `budget` (resources,) and `allowed` error; None where nothing
    fits. own: the error that the network has at the widest variants."""
    low = max(min(int(variant.cycles.min()) for variant in stage) for stage in stages)
    high = max(int(variant.cycles.max()) for stage in stages for variant in stage)
    best, middle = None, high
    while low <= middle:
        found = _least_error(stages, budget, middle, max(own, TINY) / PARTS)
        if found is not None and found.error <= allowed:
            best, high = found, middle
        elif best is None:
            return None
        else:
            low = middle + 1
        if (high - low) * RESOLUTION <= high:
            break
        middle = int(math.sqrt(low * high))
    return best


def _least_error(stages: Sequence[Sequence[Variant]], budget: np.ndarray, cycles: int, grain: float) -> Widths | None:
    used = [RESOURCES.index(name) for name in GRAIN if budget[RESOURCES.index(name)] > 0]
    grains = np.array([GRAIN[RESOURCES[index]] for index in used])
    costs, errors, owners = [], [], []
    for stage in stages:
        parts = [_fast(variant, cycles, used, grains) for variant in stage]
        cost = np.concatenate(parts)
        owner = np.repeat(np.arange(len(stage)), [len(part) for part in parts])
        error = np.array([variant.error for variant in stage])[owner]
        if not len(cost):
            return None
        kept = front(np.column_stack([np.ceil(cost / grains), error / grain]))
        costs, errors, owners = [*costs, cost[kept]], [*errors, error[kept]], [*owners, owner[kept]]
    shares, price = np.concatenate(costs) / budget[used], np.concatenate(errors)
    # Here, not above: they take half a second, which processes that only work out options have no use for.
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import block_diag, csr_array, vstack

    one_each = block_diag([np.ones((1, len(cost))) for cost in costs], format="csr")
    low = np.concatenate([np.ones(len(stages)), np.full(len(used), -np.inf)])
    high = np.concatenate([np.ones(len(stages)), np.full(len(used), 1 - FITS)])
    result = milp(
        price / grain,
        constraints=LinearConstraint(vstack([one_each, csr_array(shares.T)], format="csr"), low, high),
        integrality=np.ones(len(price)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": GAP, "node_limit": NODES, "time_limit": SECONDS},
    )
    if result.x is None:
        return None
    ends = np.cumsum([0, *map(len, costs)])
    taken = [int(np.argmax(result.x[a:b])) for a, b in zip(ends, ends[1:])]
    picks = tuple(int(owner[index]) for owner, index in zip(owners, taken))
    return Widths(picks, cycles, float(sum(error[index] for error, index in zip(errors, taken))))


def _fast(variant: Variant, cycles: int, used: Sequence[int], grains: np.ndarray) -> np.ndarray:
    """Costs (n, used) of the options that need no more than so many cycles, of those that are alike the first."""
    cost = variant.cost[variant.cycles <= cycles][:, used]
    return cost[front(np.ceil(cost / grains))] if len(cost) else cost
