"""The generated directory: what it holds, how it is written and read back."""

from . import results
from .directory import REPORT, Project, check_target, read, write
from .manifest import MANIFEST, Bundle, Model, digest, encode

__all__ = [
    "MANIFEST",
    "REPORT",
    "Bundle",
    "Model",
    "Project",
    "check_target",
    "digest",
    "encode",
    "read",
    "results",
    "write",
]
