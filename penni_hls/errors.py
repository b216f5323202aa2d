"""Mistakes that a user can mend. Each message is one line: what is wrong, where, and what to do. The command line
prints it as it is and exits 2; anything else that is raised is a defect of penni-hls and keeps its traceback.
"""

from __future__ import annotations


class PenniError(Exception):
    """The base of every error that is the input's, not the program's."""


class CheckpointError(PenniError):
    """A checkpoint that cannot be read, or is not understood: names the keys in the way."""


class DataError(PenniError):
    """Images or labels that cannot be read, or do not go with the network."""


class BoardError(PenniError):
    """An unknown board, or a board file that is not one."""


class ProjectError(PenniError):
    """A generated directory that cannot be written or read back."""


class ToolError(PenniError):
    """An outside tool (g++, Verilator, yosys, a vendor's) that is missing or failed."""


class UsageError(PenniError):
    """Options that do not go together, or values out of range."""


class Interrupted(PenniError):
    """Stopped by the user where it can go on; says how. Exit code 130."""
