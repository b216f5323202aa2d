"""Some random networks through everything, in two processes. `make fuzz` runs as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from .many import failure, run, summary
from .networks import random_network

COUNT, RTL_EVERY = 40, 5


@pytest.mark.slow
def test_random_networks_through_everything(tmp_path: Path) -> None:
    outcomes = list(run(range(COUNT), RTL_EVERY, 2, tmp_path))
    print(*summary(outcomes), sep="\n")
    assert not [outcome.seed for outcome in outcomes if outcome.kind == "failed"], "\n\n".join(
        failure(outcome) for outcome in outcomes if outcome.kind == "failed"
    )
    assert sum(outcome.kind == "refused" for outcome in outcomes) < 0.05 * COUNT
    assert sum(outcome.cycles is not None for outcome in outcomes) >= 0.8 * COUNT / RTL_EVERY


def test_a_seed_always_gives_the_same_network() -> None:
    first, second = random_network(7), random_network(7)
    assert str(first) == str(second)
    weights = zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True)
    assert all(a.equal(b) for a, b in weights)
