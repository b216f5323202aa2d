"""The C++ of a project, turned into Verilog by Vitis HLS or bambu, in the same bench as the RTL."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from ...errors import UsageError
from ...locks import free_folder
from ...project import Project
from ..engine import Engine
from ..result import Simulation, Stage, node_of, silent
from ..rtl.engine import BENCH, WAVES, other_netlist, simulate_layer, simulate_netlist
from ..top import TOP
from . import compiler
from .emit import operator_top, streams
from .gxx import write_operators
from .wrappers import bambu_operator, operator_bench

SLOWER = {"vitis": 4, "bambu": 50}  # times the RTL's cycles that a netlist may take before it counts as stuck


def hls(
    project: Project, images: np.ndarray, layer: str | None = None, *, waves: bool = False, stage: Stage = silent
) -> Simulation:
    """Synthesize hls/, or one operator of it, with whichever compiler is on PATH and simulate the Verilog it writes."""
    project.check_whole("hls")
    if layer is not None:
        return _layer(project, images, layer, waves, stage)
    with free_folder(project.work / "hls") as work:
        made = netlist(project, work, stage)
        folder, slower = other_netlist(made.directory), SLOWER[made.style]
        return simulate_netlist(project, images, folder, "hls", waves, stage, slower)


def netlist(project: Project, work: Path, stage: Stage = silent) -> compiler.Netlist:
    """The Verilog of the project's top, made of its C++ by whichever compiler is on PATH, below `work`."""
    project.check_whole("hls")
    stage(f"running {compiler.find()[1]}")
    source = project.path / "hls"
    deepest = max(edge.depth for edge in streams(project.schedule))
    wrapper = (source / "bambu" / f"{TOP}.v").read_text()
    return compiler.synthesize(compiler.Source(source, TOP, wrapper, deepest), project.schedule.board, work)


def _layer(project: Project, images: np.ndarray, layer: str, waves: bool, stage: Stage) -> Simulation:
    node, folding, top = node_of(project, layer), project.schedule.foldings[layer], operator_top(layer)
    if node.op.externals(folding):
        raise UsageError(
            f"--layer {layer} does not go with --engine hls: it has ports of its own; run the whole network"
        )
    style, path = compiler.find()
    stage(f"running {path}")
    with free_folder(project.work / "hls-layer") as work:
        source = write_operators({layer: (node.op, folding)}, work / "source", project.path)
        shutil.copy(project.path / "hls" / "build.tcl", source)
        wrapper = bambu_operator(layer, node.op, folding, top)
        made = compiler.synthesize(
            compiler.Source(source, top, wrapper, depth=0), project.schedule.board, work / "verilog"
        )
        Path(made.directory, f"{BENCH}.v").write_text(operator_bench(layer, node.op, folding, top, BENCH))
        netlist = other_netlist(made.directory)
        return simulate_layer(project, images, node, netlist, "hls", work, waves, stage, SLOWER[style])


HLS = Engine("hls", "RTL made from the C++", 1, hls, (WAVES,))
