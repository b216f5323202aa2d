"""The library's front. It delegates, nothing else; the commands call the same functions and print."""

from __future__ import annotations

from .backends.engines import ENGINES, Simulation
from .backends.hls.suite import Suite, Synthesized
from .backends.hls.suite import synthesize as synth_vitis
from .backends.synthesis import Synthesis, synth
from .backends.vivado.build import STRATEGIES, Build
from .backends.vivado.operators import synthesize as synth_vivado
from .backends.vivado.tool import Watch
from .project import Project
from .project import read as load
from .recipes.build import Built, build
from .recipes.evaluate import evaluate
from .recipes.generate import generate
from .recipes.images import choose_images
from .recipes.report import write_report
from .recipes.schedule import Planned, WouldFit, schedule, would_fit
from .recipes.simulate import simulate
from .schedule import Point
from .target.resources import Resources

__all__ = [
    "ENGINES", "STRATEGIES", "Build", "Built", "Planned", "Point", "Project", "Resources", "Simulation", "Suite", "Synthesis",
    "Synthesized", "Watch", "WouldFit", "build", "choose_images", "evaluate", "generate", "load", "schedule", "simulate",
    "synth", "synth_vitis", "synth_vivado", "would_fit", "write_report",
]  # fmt: skip
