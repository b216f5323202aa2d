"""penni-hls: PENNI-compressed CNNs to streaming FPGA accelerators, equal to the last bit in Python, C++ and RTL.

import penni_hls
project = penni_hls.generate("r20_penni.pt", "build/r20", board="pynq-z2")
project = penni_hls.load("build/r20")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .api import build, evaluate, generate, load, simulate, synth
    from .compression import compress
    from .errors import PenniError
    from .export import to_torch
    from .project import Project

# Imported when first asked for: `import penni_hls.ir` must not read all of the package.
_PUBLIC = {
    "build": ".api",
    "compress": ".compression",
    "evaluate": ".api",
    "generate": ".api",
    "load": ".api",
    "simulate": ".api",
    "synth": ".api",
    "to_torch": ".export",
    "Project": ".project",
    "PenniError": ".errors",
}

__all__ = [
    "PenniError",
    "Project",
    "build",
    "compress",
    "evaluate",
    "generate",
    "load",
    "simulate",
    "synth",
    "to_torch",
]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name], __name__), name)
