"""The library's front. It delegates, nothing else; the commands call the same functions and print."""

from __future__ import annotations

from .backends.engines import ENGINES, Simulation
from .backends.hls.suite import Suite, Synthesized
from .backends.hls.suite import synthesize as synth_vitis
from .backends.synthesis import Synthesis, synth
from .project import Project
from .project import read as load
from .recipes.evaluate import evaluate
from .recipes.generate import generate
from .recipes.images import choose_images
from .recipes.report import write_report
from .recipes.schedule import Planned, WouldFit, schedule, would_fit
from .recipes.simulate import simulate
from .schedule import Point
from .target.resources import Resources

__all__ = [
    "ENGINES", "Planned", "Point", "Project", "Resources", "Simulation", "Suite", "Synthesis", "Synthesized", "WouldFit",
    "choose_images", "evaluate", "generate", "load", "schedule", "simulate", "synth", "synth_vitis", "would_fit",
    "write_report",
]  # fmt: skip
