"""What an engine is: something that runs a project's network and compares it with the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .result import Simulation


@dataclass(frozen=True)
class Option:
    """An option of its own that an engine takes.

    name: of the keyword argument; the command line's is --name. metavar: None for a switch, else what a path is to.
    """

    name: str
    help: str
    metavar: str | None = None

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def type(self) -> type:
        return bool if self.metavar is None else Path


@dataclass(frozen=True)
class Engine:
    """An engine as it is registered in `engines`.

    help: what runs. count: images by default. run: called with (project, images, layer, stage=…) and its options by
    name; layer: the operator to run alone, or None.
    """

    name: str
    help: str
    count: int
    run: Callable[..., Simulation]
    options: tuple[Option, ...] = ()
