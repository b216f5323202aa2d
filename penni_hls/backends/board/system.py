"""The whole system in Verilator: the project's driver/, as it goes to the board, on the RTL of its accelerator.

sim/system_bench.py has the processor's side: a modelled DMA engine, AXI4-Lite, and the scenarios.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UsageError
from ...locks import free_folder
from ...project import Project
from ..cache import built, key_of
from ..engine import Engine
from ..result import Simulation, Stage, compare_logits, silent, steady_state
from ..rtl import verilator
from ..shell import ACCELERATOR

BENCH = "system_bench"
START = 1_000_000  # cycles around the images, at most: the driver looks at the clock for 250,000
BATCH = 4  # images of a transfer: small, so that a few images are several


@dataclass(frozen=True, eq=False)
class SystemRun:
    """found: what the scenario tells. results: int32, as the driver gave them."""

    found: dict[str, Any]
    results: np.ndarray


def simulate_system(
    project: Project, images: np.ndarray, scenario: str, *, batch: int, limit: int | None = None,
    arguments: Mapping[str, Any] = {}, waves: bool = False, stage: Stage = silent,
) -> SystemRun:  # fmt: skip
    """Run a scenario of sim/system_bench.py with images uint8 (N, H, W, C). limit: clock cycles; None: enough for one
    pass. ToolError where the bench fails."""
    project.check_whole("rtl")
    project.check_whole("driver")
    sources = sorted(path for path in (project.path / "rtl").glob("*.*v"))
    work = project.work / "system"
    stage("building the simulation")
    model = _model(sources, work / ("model-waves" if waves else "model"), waves, stage)
    schedule = project.schedule
    with free_folder(work / "run") as run:
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True)
        for memory in (project.path / "rtl" / "mem").glob("*"):
            shutil.copy(memory, run)
        np.save(run / "images.npy", images)
        cycles = 2 * len(images) * schedule.cycles_per_image + 10 * schedule.prediction.latency + START
        spec = {
            "driver": str((project.path / "driver").resolve()), "scenario": scenario, "batch": batch,
            "clock_hz": round(schedule.board.clock_mhz * 1e6), "limit": cycles if limit is None else limit,
        }  # fmt: skip
        (run / "system.json").write_text(json.dumps(spec | dict(arguments)))
        stage("simulating")
        verilator.run(model, BENCH, run, env={"PENNI_SYSTEM": str((run / "system.json").resolve())})
        return SystemRun(json.loads((run / "result.json").read_text()), np.load(run / "results.npy"))


def _model(sources: list[Path], folder: Path, waves: bool, stage: Stage) -> verilator.Model:
    verilator.root()  # complains where what is needed to build or to run is missing
    folder, resolved = folder.absolute(), [path.resolve() for path in sources]
    built(
        folder, key_of([ACCELERATOR], resolved),
        lambda fresh: verilator.build(resolved, ACCELERATOR, fresh, waves=waves, home=folder), stage,
    )  # fmt: skip
    return verilator.Model(folder, ACCELERATOR, waves)


def system(project: Project, images: np.ndarray, layer: str | None = None, *, stage: Stage = silent) -> Simulation:
    """All images through the driver, in batches. cycles_per_image is the mean from the end of the first batch to that of
    the last, with all that the driver and the DMA engine do between batches."""
    if layer is not None:
        raise UsageError("--layer takes an operator of rtl/; the driver runs the whole network")
    run = simulate_system(project, images, "batches", batch=BATCH, stage=stage)
    first = compare_logits(project, images, run.results)
    ends, sizes = run.found["ends"], [min(BATCH, len(images) - start) for start in range(0, len(images), BATCH)]
    intervals = [round((b - a) / size) for a, b, size in zip(ends, ends[1:], sizes[1:])]
    cycles, settled = steady_state(intervals, 1)
    return Simulation("system", len(images), first is None, first, cycles_per_image=cycles, settled=settled)


SYSTEM = Engine("system", "the driver of driver/ on the RTL, with a modelled DMA engine", 16, system)
