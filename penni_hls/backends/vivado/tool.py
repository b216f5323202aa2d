"""Runs a script in Vivado (batch mode) and follows its log: which step it is at, what it found, why it stopped.

Vivado is called, never part of the project. What the scripts of hw/vivado print for this module begins with `penni:`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import ToolError
from ..children import execute, full_disk

LOG = "vivado.log"
MISSING = "vivado was not found on PATH; source settings64.sh of a Vivado installation (2022.2 or later) first"
# Errors that only say that another one was met.
_ECHO = re.compile(r"\[(?:Common 17-69|Common 17-39|Vivado 12-13638|Vivado 12-106|Runs 36-\d+)\]")
# A memory image that is not found leaves its memory empty: an error, whatever Vivado calls it.
_EMPTY = "[Synth 8-4445]"
# What one line of a log is worth: worth showing while nothing else is asked for.
_NOTABLE = re.compile(r"(?:ERROR|CRITICAL WARNING):|(?:Starting|Finished|Ending) |Phase \d+ |penni: (?:step|error) ")


@dataclass
class Watch:
    """Callbacks. step: called with the name of each step of the script. line: with each line of the log, and whether it is
    one of the few that say how far the tool is or what is wrong."""

    step: Callable[[str], None] = lambda name: None
    line: Callable[[str, bool], None] = lambda text, notable: None


@dataclass
class Run:
    """What a run of a script left. results: by key, in order. reason: why it failed, None where it did not. logs: Vivado's
    own, and those of the runs that it launched and that failed. empty: of a memory whose image was not found."""

    logs: list[Path]
    status: int = 0
    results: dict[str, list[str]] = field(default_factory=dict)
    step: str = "start"
    said: str | None = None
    empty: str | None = None

    def result(self, key: str, default: str = "") -> str:
        return self.results.get(key, [default])[-1]

    @property
    def reason(self) -> str | None:
        """The first error that a tool gives, or what the script says."""
        if self.empty:
            return self.empty
        if self.status == 0:
            return None
        errors = [line for log in reversed(self.logs) for line in _errors(log)]
        first = next((line for line in errors if not _ECHO.search(line)), next(iter(errors), None))
        said = self.said or f"exit status {self.status}"
        return f"{said}: {first}" if first and self.said != first else said


def find() -> str:
    """Vivado's path; ToolError where it is not on PATH."""
    path = shutil.which("vivado")
    if path is None:
        raise ToolError(MISSING)
    return path


def run(script: Path, arguments: Mapping[str, object], work: Path, watch: Watch) -> Run:
    """Run `script` with arguments key=value in the folder `work`. Its log is work/vivado.log. A failure is told by the
    result's `reason`; ToolError where Vivado cannot be started, or where the disk is full."""
    command = [find(), "-mode", "batch", "-nojournal", "-log", LOG, "-notrace", "-source", str(script.resolve())]
    command += ["-tclargs", *(f"{key}={value}" for key, value in arguments.items())]
    work.mkdir(parents=True, exist_ok=True)
    console = work / "console.log"  # what Vivado prints: its own log lacks the lines of the launched runs
    found = Run([console])
    try:
        with console.open("w", encoding="utf-8", errors="replace") as log:

            def each(line: str) -> None:
                print(line, file=log, flush=True)
                _follow(line, found, watch)

            found.status = execute(command, cwd=work, each=each).returncode
    except OSError as error:
        raise ToolError(f"vivado could not be run: {error.strerror}") from None
    if found.status and (full := full_disk("\n".join(_errors(console)), work)):
        raise ToolError(f"vivado failed: {full}")
    return found


def _follow(line: str, found: Run, watch: Watch) -> None:
    kind, _, rest = line.removeprefix("penni: ").partition(" ") if line.startswith("penni: ") else ("", "", "")
    match kind:
        case "step":
            found.step = rest
            watch.step(rest)
        case "result":
            key, _, value = rest.partition(" ")
            found.results.setdefault(key, []).append(value)
        case "error":
            found.said = rest
        case "log":
            found.logs.append(Path(rest))
    if _EMPTY in line and found.empty is None:
        found.empty = line.partition(": ")[2]
    watch.line(line, bool(_NOTABLE.match(line)))


def _errors(log: Path) -> list[str]:
    """The errors of a log, the echo of the script's own left out."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR: [")]
