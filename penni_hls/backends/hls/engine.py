"""The C++ of a project, turned into Verilog by Vitis HLS or bambu, in the same bench as the RTL."""

from __future__ import annotations

import numpy as np

from ...errors import UsageError
from ...locks import free_folder
from ...project import Project
from ..engine import Engine
from ..result import Simulation, Stage, silent
from ..rtl.engine import WAVES, other_netlist, simulate_netlist
from . import compiler


def hls(
    project: Project, images: np.ndarray, layer: str | None = None, *, waves: bool = False, stage: Stage = silent
) -> Simulation:
    """Synthesize hls/ with whichever compiler is on PATH and simulate the Verilog that it writes."""
    if layer is not None:
        raise UsageError("--layer does not go with --engine hls: the compiler gives the whole network")
    project.check_whole("hls")
    stage(f"running {compiler.find()[1]}")
    with free_folder(project.work / "hls") as work:
        made = compiler.synthesize(project.path / "hls", project.schedule.board, work)
        return simulate_netlist(project, images, other_netlist(made.directory), "hls", waves, stage)


HLS = Engine("hls", "RTL made from the C++", 1, hls, (WAVES,))
