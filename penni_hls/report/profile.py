"""What operators wait for, as a table."""

from __future__ import annotations

from ..backends.profile import STATES, Profile
from .console import Reporter
from .tables import percent, table

CELLS = 40  # of a bar
FILLS = ("█", " ", "░")  # of each state


def print_profile(report: Reporter, profile: Profile) -> None:
    """A row per operator, in the order of the network."""
    totals = profile.totals()
    rows = [
        (name, _bar(counts, profile.cycles), *(percent(counts[state], profile.cycles) for state in STATES))
        for name, counts in totals.items()
    ]
    report.table(table(("operator", "█ busy  ░ blocked", *STATES), rows, left=2))
    report.say(
        f"Over {profile.cycles:,} cycles. Starved: an input is awaited; blocked: a reader is. What limits waits least."
    )


def _bar(counts: dict[str, int], cycles: int) -> str:
    """busy, then starved, then blocked."""
    ends = [0]
    for state in STATES:
        ends.append(ends[-1] + counts[state])
    cells = [round(CELLS * end / max(cycles, 1)) for end in ends]
    return "".join(fill * (after - before) for fill, before, after in zip(FILLS, cells, cells[1:]))
