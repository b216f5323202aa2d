"""Tcl scripts without the vendor's tool: run by tclsh, or by the Tcl in Python's tkinter. No test is left out without."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

# As tclsh: a script's error goes to stderr, with exit status 1; exit ends with the status given.
_BY_TKINTER = """
import sys, tkinter
tcl = tkinter.Tcl()
end = lambda status="0": (tcl.eval("flush stdout"), sys.stdout.flush(), __import__("os")._exit(int(status)))
tcl.createcommand("exit", end)
tcl.setvar("argv0", sys.argv[1]); tcl.setvar("argv", tuple(sys.argv[2:])); tcl.setvar("argc", len(sys.argv) - 2)
try:
    tcl.evalfile(sys.argv[1])
except tkinter.TclError as error:
    sys.exit(str(error))
"""


def interpreter() -> list[str]:
    """The command before a script and its arguments. The test fails, and says what to install, where there is no Tcl."""
    if (tclsh := shutil.which("tclsh")) is not None:
        return [tclsh]
    if importlib.util.find_spec("_tkinter") is None:
        pytest.fail("no Tcl: neither tclsh nor Python's tkinter is here (Debian: apt-get install tcl)")
    return [sys.executable, "-c", _BY_TKINTER]


def run(script: Path, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a Tcl script as tclsh does."""
    return subprocess.run(
        [*interpreter(), str(script)], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
