"""Every operator of a project through the synthesis of Vitis HLS, each a top of its own, and the whole network."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...errors import ToolError
from ...ir.ops.base import Folding, Operator
from ...project import Project, results
from ...target.resources import Resources
from ..cache import built, key_of
from ..top import TOP
from . import compiler, csynth, vitis
from .emit import operator_top
from .gxx import write_operators

WHOLE = "all"  # the network, among the names of operators


@dataclass(frozen=True)
class Synthesized:
    """What Vitis HLS reports, beside what was expected. cycles: between two images, as predicted. slow: loops that begin an
    iteration less often than they should, each with the interval that it should have."""

    report: csynth.Report
    cycles: int
    estimate: Resources
    slow: tuple[tuple[csynth.Loop, int], ...]

    @property
    def pipelined(self) -> bool:
        """Every loop begins its iterations as often as it should, and there is one."""
        return bool(self.report.loops) and not self.slow


@dataclass(frozen=True)
class Suite:
    """By the names of operators, WHOLE last. failed: why there is no report."""

    found: dict[str, Synthesized]
    failed: dict[str, str]

    @property
    def passed(self) -> bool:
        return not self.failed and all(one.pipelined for one in self.found.values())


def synthesize(
    project: Project, progress: Callable[[int, int], None] = lambda done, total: None, jobs: int | None = None
) -> Suite:
    """Run csynth_design for each operator and the whole; what was synthesized before is not again.

    progress: called with (tops done, tops). jobs: processes at a time; None: half as many as there are processors.
    """
    project.check_whole("hls")
    tool = vitis.find()
    if tool is None:
        raise ToolError(
            f"neither {' nor '.join(vitis.COMMANDS)} was found on PATH; 'synth --tool vitis' runs Vitis HLS"
        )
    schedule, work = project.schedule, project.work / "vitis"
    nodes = {node.name: (node.op, schedule.foldings[node.name]) for node in schedule.instances}
    source = write_operators(nodes, work / "source", project.path)
    shutil.copy(project.path / "hls" / "build.tcl", source)
    tops = {name: (source, operator_top(name)) for name in nodes} | {WHOLE: (project.path / "hls", TOP)}

    def run(name: str) -> csynth.Report | str:
        hls, top = tops[name]
        try:
            return _report(tool, hls, top, work / top)
        except ToolError as error:
            return str(error)

    found, failed = {}, {}
    with concurrent.futures.ThreadPoolExecutor(jobs or max(1, (os.cpu_count() or 1) // 2)) as pool:
        for done, (name, got) in enumerate(zip(tops, pool.map(run, tops))):
            progress(done + 1, len(tops))
            if isinstance(got, str):
                failed[name] = got
            elif name == WHOLE:  # its loops are those of the operators
                cycles = (schedule.in_hls or schedule.prediction).cycles_per_image * schedule.copies
                found[name] = Synthesized(got, cycles, schedule.total, ())
            else:
                found[name] = _beside(got, *nodes[name])
    operators = {name: one.report.resources.as_dict() for name, one in found.items() if name != WHOLE}
    if operators and not failed:
        results.save(project, "synth-vitis", {"tool": "Vitis HLS", "operators": operators})
    return Suite(found, failed)


def _beside(report: csynth.Report, op: Operator, folding: Folding) -> Synthesized:
    expected = op.loop_intervals(folding)

    def due(loop: csynth.Loop) -> int:
        return next((ii for function, ii in expected.items() if function in loop.module), 1)

    slow = tuple((loop, due(loop)) for loop in report.loops if loop.ii > due(loop))
    return Synthesized(report, op.in_turn(folding).cycles(), op.cost(folding), slow)


def _report(tool: str, hls: Path, top: str, folder: Path) -> csynth.Report:
    sources = [path for path in sorted(hls.rglob("*.hpp")) if path.parent.name != "csim"]
    key = key_of([tool, top], [hls / f"{top}.cpp", hls / "build.tcl", *sources], hls)

    def make(fresh: Path) -> None:
        try:
            compiler.run_vitis(tool, hls.resolve(), fresh.resolve(), csim=0, export=0, top=top)
        except ToolError as error:  # its log is moved
            raise ToolError(str(error).replace(str(fresh.resolve()), str(folder.resolve()))) from None

    return csynth.read(built(folder, key, make) / vitis.REPORTS / csynth.FILE)
