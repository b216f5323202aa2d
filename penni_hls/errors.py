"""User-facing errors. Each message is one line: what is wrong, where, and what to do. The command line prints it as it
is and exits 2; any other exception is a defect of penni-hls and keeps its traceback.
"""

from __future__ import annotations


class PenniError(Exception):
    """The base of every error caused by the input, not by the program."""


class CheckpointError(PenniError):
    """A checkpoint that cannot be read or is not understood; names the keys concerned."""


class DataError(PenniError):
    """Images or labels that cannot be read, or do not match the network."""


class BoardError(PenniError):
    """An unknown board, or an invalid board file."""


class ProjectError(PenniError):
    """A generated directory that cannot be written or read back."""


class ToolError(PenniError):
    """An external tool (g++, Verilator, yosys, a vendor's) that is missing or failed."""


class UsageError(PenniError):
    """Options that exclude each other, or values out of range."""


class Interrupted(PenniError):
    """Interrupted by the user; the message says how to resume. Exit code 130."""
