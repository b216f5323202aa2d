"""What a project's RTL costs, by yosys, against what its board lets the accelerator use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..project import Project, results
from ..target.resources import Resources
from .rtl import yosys


@dataclass(frozen=True)
class Synthesis:
    """operators: by name, the FIFOs before each with it. budget: what the board lets the accelerator use."""

    operators: dict[str, Resources]
    budget: Resources

    @property
    def total(self) -> Resources:
        return sum(self.operators.values(), Resources())

    @property
    def over(self) -> tuple[str, ...]:
        """The resources of which more is needed than the budget has."""
        have, budget = self.total.as_dict(), self.budget.as_dict()
        return tuple(name for name in have if have[name] > budget[name])


def synth(project: Project, progress: Callable[[int, int], None] = lambda done, total: None) -> Synthesis:
    """Synthesize the project's rtl/. progress: called with (modules done, modules)."""
    project.check_whole("rtl")
    found = yosys.synthesize_design(project.schedule, project.path / "rtl", project.work / "synth", progress)
    operators = {name: cost.as_dict() for name, cost in found.items()}
    results.save(project, "synth-yosys", {"tool": "yosys", "operators": operators})
    return Synthesis(found, project.schedule.board.budget)
