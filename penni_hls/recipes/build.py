"""A project -> a bitstream: by Vivado, from its RTL or from its C++."""

from __future__ import annotations

import math
import shutil
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..backends.hls.engine import netlist
from ..backends.vivado import build as vivado
from ..backends.vivado import tool
from ..backends.vivado.build import Build, Options, Source
from ..backends.vivado.clock import Try, clocks, search
from ..backends.vivado.tool import Watch
from ..errors import UsageError
from ..project import Project, results

KEY = "vivado"


@dataclass(frozen=True)
class Built:
    """best: the build that counts. tries: the clocks that were built at, where the highest was searched."""

    best: Build
    tries: tuple[Try, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return self.best.as_dict() | {"tries": [asdict(step) for step in self.tries]}


def build(
    project: Project,
    source: Source = "rtl",
    clock: float | str | None = None,
    *,
    strategies: tuple[str, ...] = ("performance",),
    ila: bool = False,
    package: bool = False,
    jobs: int = 4,
    watch: Watch | None = None,
) -> Built:
    """Make a bitstream with Vivado, write to model.json what it takes, and copy what a board needs to driver/.

    source: "rtl", or "hls" for the C++, which an HLS compiler turns into Verilog first. clock: in MHz; "auto": the highest
    that meets timing, by one build after the other; None: the board's. strategies: keys of
    backends.vivado.build.STRATEGIES, tried in turn until timing is met. ila: a logic analyser on the streams. package: an
    IP of the accelerator as well, in vivado/ip/. jobs: processes of Vivado. ToolError where Vivado is missing or fails; a
    design that is too large or too slow is told by `best.problem`.
    """
    watch = watch or Watch()
    if isinstance(clock, str) and clock != "auto":
        raise UsageError(f"--clock {clock}: give MHz, or auto")
    if isinstance(clock, (int, float)) and not (math.isfinite(clock) and 1 <= clock <= 1000):
        raise UsageError(f"--clock {clock:g}: give MHz, from 1 to 1000")
    if source == "hls" and project.manifest.get("options", {}).get("counters"):
        raise UsageError(
            "--from hls: only the RTL drives the operators' counters; generate the project without --counters"
        )
    options = Options(source, None, None, strategies, ila, jobs)
    tool.find()
    if source == "hls":
        made = netlist(project, project.work / "build-hls", watch.step)
        options = replace(options, netlist=made.directory)
    ip = (str(vivado.package(project, options, watch)),) if package else ()
    if clock == "auto":
        best, tries = _search(project, options, watch)
    else:
        assert not isinstance(clock, str)
        best, tries = vivado.build(project, replace(options, clock=clock), watch), ()
    best = vivado.deploy(project, best)
    built = Built(replace(best, files=(*ip, *best.files)), tries)
    project.record(KEY, built.as_dict())
    operators = best.operators or {}
    if operators.keys() == {node.name for node in project.schedule.instances}:
        costs = {name: used.as_dict() for name, used in operators.items()}
        results.save(project, "synth-vivado-build", {"tool": "Vivado, in the system", "operators": costs})
    return built


def _search(project: Project, options: Options, watch: Watch) -> tuple[Build, tuple[Try, ...]]:
    board, place = project.schedule.board, project.work / "vivado"
    shutil.rmtree(place, ignore_errors=True)

    def attempt(mhz: float) -> Build:
        watch.step(f"{mhz:g} MHz")
        return vivado.build(project, replace(options, clock=mhz), watch, place / f"{mhz:g}MHz")

    return search(clocks(board.processor, board.clock_mhz), board.clock_mhz, attempt)
