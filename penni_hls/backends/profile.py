"""What each operator did over a simulation: for how many cycles it was busy, waited for input, waited for its readers."""

from __future__ import annotations

from dataclasses import dataclass

STATES = ("busy", "starved", "blocked")


@dataclass(frozen=True)
class Profile:
    """By the counters of hw/rtl/penni_activity.sv, the same as on the board. In a cycle an operator is blocked where one of
    its results is offered and not taken; else starved where one of its inputs would take a word that is not there; else
    busy. So what sets the rate is hardly ever blocked or starved.

    ends: cycles from the reset to the end of each window of time. starved, blocked: cycles in each window, by operator.
    whole: the first and the last window of the totals: from the first result's last word to the last one's.
    """

    ends: tuple[int, ...]
    starved: dict[str, tuple[int, ...]]
    blocked: dict[str, tuple[int, ...]]
    whole: tuple[int, int]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Cycles of each window."""
        return tuple(end - begin for begin, end in zip((0, *self.ends), self.ends))

    @property
    def cycles(self) -> int:
        """That the totals are of."""
        return sum(self.lengths[slice(*self.whole)])

    def totals(self) -> dict[str, dict[str, int]]:
        """Cycles in each state, by operator."""
        result = {}
        for name in self.starved:
            starved, blocked = (sum(counts[name][slice(*self.whole)]) for counts in (self.starved, self.blocked))
            result[name] = {"busy": self.cycles - starved - blocked, "starved": starved, "blocked": blocked}
        return result

    def as_dict(self) -> dict:
        return {"cycles": self.cycles, "operators": self.totals()}
