"""A project -> a bitstream, by Vivado: what it takes, how fast it is, what went wrong.

Works in `build/vivado/` within the project. What a board needs (penni.bit, penni.hwh) is copied to `driver/` where the
design fits and timing is met; penni.xsa to `vivado/`. For a bare part: the accelerator alone, placed and routed out of
context.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ...errors import ToolError, UsageError
from ...project import Project
from ...schedule import Schedule
from ...target.boards import BARE
from ...target.resources import Resources
from ..rtl.emit import fifo_name
from ..shell import ACCELERATOR
from ..templates import identifier
from . import reports, tool
from .tool import Run, Watch

# Strategies by the names of the command line: Vivado's for synthesis and implementation (UG901, UG904).
STRATEGIES = {
    "default": ("default", "default"),
    "performance": ("Flow_PerfOptimized_high", "Performance_ExplorePostRoutePhysOpt"),
    "timing": ("Flow_PerfOptimized_high", "Performance_ExtraTimingOpt"),
    "congestion": ("Flow_AlternateRoutability", "Congestion_SpreadLogic_high"),
    "area": ("Flow_AreaOptimized_high", "Area_Explore"),
    "quick": ("Flow_RuntimeOptimized", "Flow_RuntimeOptimized"),
}
TOP = "penni"  # the accelerator's cell in the block design
Source = Literal["rtl", "hls"]


@dataclass(frozen=True)
class Options:
    """source: "rtl", or "hls" for the Verilog of the C++ in folder `netlist`. clock: in MHz, None: the board's.
    strategies: keys of STRATEGIES, tried in turn until timing is met; the first one's is that of synthesis. ila: a logic
    analyser on the streams. jobs: processes of Vivado."""

    source: Source = "rtl"
    netlist: Path | None = None
    clock: float | None = None
    strategies: tuple[str, ...] = ("performance",)
    ila: bool = False
    jobs: int = 4

    def __post_init__(self) -> None:
        if unknown := [name for name in self.strategies if name not in STRATEGIES]:
            raise UsageError(f"--strategy {unknown[0]}: there are {', '.join(STRATEGIES)}")


@dataclass(frozen=True)
class Build:
    """How a build went. problem: why there is no bitstream that may be used, None where there is one. clock_mhz: the one
    that was built for, as the processor's dividers make it. utilization: of the whole device; accelerator, operators: what
    of it they take, the FIFOs before an operator with it. power: in W, estimated by Vivado.
    board_files: Vivado's, or "none". addresses: of registers, by cell. files: what was left; folder:
    where Vivado worked."""

    vivado: str
    source: Source
    strategy: str
    clock_mhz: float
    utilization: reports.Utilization | None = None
    accelerator: Resources | None = None
    operators: dict[str, Resources] | None = None
    timing: reports.Timing | None = None
    power: float | None = None
    board_files: str = ""
    addresses: dict[str, str] | None = None
    problem: str | None = None
    files: tuple[str, ...] = ()
    folder: str = ""

    @property
    def fmax(self) -> float | None:
        """MHz, by the worst setup path."""
        return self.timing.fmax(self.clock_mhz) if self.timing else None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"fmax_mhz": self.fmax, "met": self.timing.met if self.timing else None}


def build(project: Project, options: Options, watch: Watch | None = None, work: Path | None = None) -> Build:
    """Run Vivado on the project, in the folder `work`. ToolError where it is missing, or fails for another reason than the
    size or speed of the design."""
    watch = watch or Watch()
    tool.find()
    for folder in ("vivado", "rtl"):
        project.check_whole(folder)
    work = (work or project.work / "vivado").resolve()
    shutil.rmtree(work, ignore_errors=True)
    if project.schedule.board.processor == BARE:
        return _alone(project, options, work, watch)
    synth, _ = STRATEGIES[options.strategies[0]]
    arguments = _source(options) | {
        "clock": f"{options.clock or project.schedule.board.clock_mhz:g}", "ila": int(options.ila), "synth": synth,
        "strategy": ",".join(STRATEGIES[name][1] for name in options.strategies), "jobs": options.jobs, "deploy": 0,
        "work": work,
    }  # fmt: skip
    run = tool.run(project.path / "vivado" / "build.tcl", arguments, work, watch)
    return _result(project, options, run, work / "out")


def deploy(project: Project, built: Build) -> Build:
    """Copy what a board needs from the build's folder to the project; nothing where the build has a problem."""
    out = Path(built.folder) / "out"
    if built.problem or not (out / "penni.bit").is_file():
        return built
    places = {"penni.bit": "driver", "penni.hwh": "driver", "penni.ltx": "driver", "penni.xsa": "vivado"}
    copied = []
    for name, folder in places.items():
        if (out / name).is_file():
            shutil.copy(out / name, project.path / folder / name)
            copied.append(str(project.path / folder / name))
    return replace(built, files=(*copied, *built.files))


def package(project: Project, options: Options, watch: Watch) -> Path:
    """The accelerator as an IP in vivado/ip/ of the project -> its component.xml."""
    folder, work = project.path / "vivado" / "ip", (project.work / "package").resolve()
    shutil.rmtree(work, ignore_errors=True)
    arguments = _source(options) | {"work": work / "project", "ip": folder.resolve()}
    run = tool.run(project.path / "vivado" / "package.tcl", arguments, work, watch)
    if run.reason:
        raise ToolError(f"vivado, {run.step}: {run.reason} (all of it: {run.logs[0]})")
    return folder / "component.xml"


def _source(options: Options) -> dict[str, object]:
    return {"from": options.source} | ({"netlist": options.netlist.resolve()} if options.netlist else {})


def _result(project: Project, options: Options, run: Run, out: Path) -> Build:
    """What the reports say. An error of the script's own is left to them where they explain it: too large, too slow."""
    built = Build(
        run.result("vivado"), options.source, run.result("strategy"),
        float(run.result("clock_mhz") or options.clock or project.schedule.board.clock_mhz),
        board_files=run.result("board_files"),
        addresses=dict(address.split(" ", 1) for address in run.results.get("address", [])), folder=str(out.parent),
    )  # fmt: skip
    if not (out / "timing.rpt").is_file():
        synthesized = out / "utilization_synth.rpt"
        over = reports.utilization(synthesized.read_text()) if synthesized.is_file() else None
        if over is None or not over.over:
            raise ToolError(f"vivado, {run.step}: {run.reason or 'it left no reports'} (all of it: {run.logs[0]})")
        return replace(built, utilization=over, problem=_too_large(over, project.schedule))
    used = reports.utilization((out / "utilization.rpt").read_text())
    rows = reports.hierarchy((out / "hierarchy.rpt").read_text())
    found = reports.timing((out / "timing.rpt").read_text())
    accelerator = next((row for row in rows if row.path[-1] == TOP), None)
    built = replace(
        built,
        utilization=used, timing=found, power=reports.power((out / "power.rpt").read_text()),
        accelerator=accelerator.used if accelerator else None, operators=_operators(project.schedule, rows),
        files=tuple(str(path) for path in sorted(out.glob("*.rpt"))),
    )  # fmt: skip
    if used.over:
        return replace(built, problem=_too_large(used, project.schedule))
    if not found.met:
        return replace(built, problem=f"timing is not met at {built.clock_mhz:g} MHz: {found.problem}")
    if run.reason:
        raise ToolError(f"vivado, {run.step}: {run.reason} (all of it: {run.logs[0]})")
    return built


def _too_large(found: reports.Utilization, schedule: Schedule) -> str:
    return f"it does not fit {schedule.board.name}: {'; '.join(found.over)}"


def _operators(schedule: Schedule, rows: tuple[reports.Instance, ...]) -> dict[str, Resources]:
    """By name; an operator that Vivado's hierarchy no longer shows is left out."""
    found: dict[str, Resources] = {}
    by_instance = {row.path[-1]: row.used for row in rows if TOP in row.path}
    for node in schedule.instances:
        if (used := by_instance.get(f"u_{identifier(node.name)}")) is not None:
            found[node.name] = used
    for link in schedule.links:
        used = by_instance.get(f"u_{fifo_name(schedule, link)}")
        if used is not None and link.dst in found:
            found[link.dst] = found[link.dst] + used
    return found


def _alone(project: Project, options: Options, work: Path, watch: Watch) -> Build:
    """The accelerator out of context, placed and routed: what a bare part gets."""
    board = project.schedule.board
    clock = options.clock or board.clock_mhz
    arguments = _source(options) | {"modules": ACCELERATOR, "place": 1, "clock": f"{clock:g}", "work": work / "out"}
    run = tool.run(project.path / "vivado" / "alone.tcl", arguments, work, watch)
    out = work / "out"
    if run.reason or not (out / "0_timing.rpt").is_file():
        raise ToolError(f"vivado, {run.step}: {run.reason or 'it left no reports'} (all of it: {run.logs[0]})")
    used, found = (reader((out / f"0_{name}.rpt").read_text()) for reader, name in _ALONE)
    problem = None
    if used.over:
        problem = _too_large(used, project.schedule)
    elif not found.met:
        problem = f"timing is not met at {clock:g} MHz: {found.problem}"
    return Build(
        run.result("vivado"), options.source, "default", clock, used, used.used, None, found,
        reports.power((out / "0_power.rpt").read_text()), problem=problem, files=(str(out / "0.dcp"),), folder=str(work),
    )  # fmt: skip


_ALONE: tuple[tuple[Callable[[str], Any], str], ...] = (
    (reports.utilization, "utilization"), (reports.timing, "timing"),
)  # fmt: skip
