"""Single operators by Vivado, out of context: what each takes and the highest clock of its own paths.

What the cost models and the clock of the boards can be compared with by whoever has Vivado. Results are kept in `build/` by
the digest of all that went in, so a second run does only what has changed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass

from ...errors import ToolError
from ...project import Project, results
from ...target.resources import Resources
from ..cache import kept, key_of
from ..rtl.yosys import Unit, files_of, units
from . import reports, tool
from .tool import Watch


@dataclass(frozen=True)
class Alone:
    """A module, or several, alone. used: in all. fmax: MHz, the lowest of theirs by the worst path from register to register;
    None where there is none."""

    used: Resources
    fmax: float | None

    def __add__(self, other: Alone) -> Alone:
        both = [fmax for fmax in (self.fmax, other.fmax) if fmax is not None]
        return Alone(self.used + other.used, min(both, default=None))


@dataclass(frozen=True)
class Operators:
    """found: by operator, the FIFOs before each with it. placed: whether they were placed and routed; else wires are
    estimated. budget: what the board lets the accelerator use."""

    found: dict[str, Alone]
    placed: bool
    budget: Resources

    @property
    def total(self) -> Alone:
        first, *others = self.found.values()
        return sum(others, first)

    @property
    def over(self) -> tuple[str, ...]:
        """The resources of which more is needed than the budget has."""
        have, budget = self.total.used.as_dict(), self.budget.as_dict()
        return tuple(name for name in have if have[name] > budget[name])


def synthesize(
    project: Project, place: bool = False, progress: Callable[[int, int], None] = lambda done, total: None
) -> Operators:
    """Synthesize each operator and FIFO of rtl/ alone, for the board's clock; place: place and route them, too. progress:
    called with (modules done, modules). ToolError where Vivado is missing or fails."""
    for folder in ("vivado", "rtl"):
        project.check_whole(folder)
    owners = units(project.schedule)
    wanted = sorted({unit for _, unit in owners}, key=lambda unit: (unit.module, unit.parameters))
    board, work = project.schedule.board, project.work / "synth-vivado"
    clock = f"{board.clock_mhz:g}"
    files = {
        unit: work
        / f"{key_of([board.part, clock, str(place), _entry(unit)], files_of(project.path / 'rtl', unit))}.json"
        for unit in wanted
    }
    todo = [unit for unit in wanted if not files[unit].exists()]
    if todo:
        done = _run(project, todo, clock, place, lambda done: progress(len(wanted) - len(todo) + done, len(wanted)))
        for unit, alone in zip(todo, done):
            kept(files[unit], json.dumps(asdict(alone)).encode)
    read = {unit: _read(file.read_text()) for unit, file in files.items()}
    found: dict[str, Alone] = {}
    for name, unit in owners:
        found[name] = found[name] + read[unit] if name in found else read[unit]
    how = "placed, each alone" if place else "each alone"
    operators = {name: alone.used.as_dict() for name, alone in found.items()}
    results.save(project, "synth-vivado", {"tool": f"Vivado, {how}", "operators": operators})
    return Operators(found, place, board.budget)


def _entry(unit: Unit) -> str:
    """As alone.tcl takes it."""
    return ":".join((unit.module, *(f"{name}={value}" for name, value in unit.parameters)))


def _read(text: str) -> Alone:
    data = json.loads(text)
    return Alone(Resources(**data["used"]), data["fmax"])


def _run(project: Project, todo: list[Unit], clock: str, place: bool, progress: Callable[[int], None]) -> list[Alone]:
    tool.find()
    work = (project.work / "synth-vivado" / "run").resolve()
    shutil.rmtree(work, ignore_errors=True)
    steps = 0

    def step(name: str) -> None:
        nonlocal steps
        progress(steps)
        steps += 1

    arguments = {"modules": ",".join(map(_entry, todo)), "clock": clock, "place": int(place), "work": work}
    run = tool.run(project.path / "vivado" / "alone.tcl", arguments, work, Watch(step))
    if run.reason:
        raise ToolError(f"vivado, {run.step}: {run.reason} (all of it: {run.logs[0]})")
    progress(len(todo))
    return [
        Alone(
            reports.utilization((work / f"{index}_utilization.rpt").read_text()).used,
            reports.timing((work / f"{index}_timing.rpt").read_text()).fmax(float(clock)),
        )
        for index in range(len(todo))
    ]
