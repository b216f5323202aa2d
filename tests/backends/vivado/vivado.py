"""Vivado, played by standin.tcl: an executable on PATH that takes its arguments. It is a test double and builds nothing."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.tcl import interpreter

STANDIN = Path(__file__).with_name("standin.tcl")
SCRIPT = """#!{python}
import os, sys
words = sys.argv[1:]
assert words[:2] == ["-mode", "batch"], words
script = words[words.index("-source") + 1]
rest = words[words.index("-tclargs") + 1:] if "-tclargs" in words else []
command = {command!r} + [{standin!r}, {calls!r}, open({settings!r}).read(), script, *rest]
os.execv(command[0], command)
"""


@dataclass(frozen=True)
class StandIn:
    """folder: with the executable and what it recorded."""

    folder: Path

    def set(self, **settings: object) -> None:
        """How it is to behave: keys of `is` in standin.tcl."""
        words = (f"{key} {{{value}}}" for key, value in settings.items())
        (self.folder / "settings").write_text(" ".join(words))

    def calls(self, *places: tuple[Path, str]) -> list[str]:
        """What was called so far, in order; paths that begin with one of `places` by its name."""
        text = (self.folder / "calls").read_text()
        for path, name in sorted(places, key=lambda place: -len(str(place[0]))):
            text = text.replace(str(path), name)
        return text.splitlines()


def install(folder: Path) -> StandIn:
    """Write the executable to `folder`; whoever calls this puts that on PATH."""
    folder.mkdir(parents=True)
    script = folder / "vivado"
    script.write_text(
        SCRIPT.format(
            python=sys.executable, command=interpreter(), standin=str(STANDIN), calls=str(folder / "calls"),
            settings=str(folder / "settings"),
        )
    )  # fmt: skip
    script.chmod(0o755)
    found = StandIn(folder)
    found.set()
    return found


def path_with(folder: Path) -> str:
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
