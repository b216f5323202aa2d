"""A project under one of its engines, compared with the Python reference to the last bit. One file an engine."""

from .hls.csim import csim
from .hls.engine import hls
from .reference import reference
from .result import Mismatch, Simulation
from .rtl.engine import rtl

ENGINES = ("reference", "csim", "rtl", "hls")

__all__ = ["ENGINES", "Mismatch", "Simulation", "csim", "hls", "reference", "rtl"]
