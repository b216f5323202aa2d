"""The generated directory: put together in memory, written atomically, read back.

    model.json   manifest: what went in, formats, schedule, performance, sha256 of every other file
    model.npz    the arrays of the integer and of the float network
    hls/ rtl/ sim/ vivado/ driver/ README.md
    report.html  all of it on a page, with what has been found out since

No timestamps anywhere: the same input gives the same bytes. Simulations and syntheses work in `build/` within it.
"""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import ProjectError
from ..files import replace_file, replace_folder
from ..ir.graph import Graph
from ..ir.serialize import to_json
from ..locks import locked, temporary_folder
from ..schedule import Schedule
from .manifest import MANIFEST, Bundle, decode, digest, files_of, load

WORK = "build"
REPORT = "report.html"  # not among the files of the manifest: it changes with what is found out about the project
RESULTS = "results"  # of tools that ran on the project


@dataclass(frozen=True, eq=False)
class Project:
    """A generated directory. schedule: the integer network, planned; float_graph: the network it was made from."""

    path: Path
    manifest: dict[str, Any]
    schedule: Schedule
    float_graph: Graph

    @property
    def name(self) -> str:
        return self.manifest["name"]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the numbers were chosen."""
        return tuple(self.manifest["notes"])

    @property
    def performance(self) -> dict[str, Any]:
        """What the schedule promises, for scripts."""
        return self.manifest["performance"]

    @property
    def layers(self) -> list[dict[str, Any]]:
        """One entry per operator: what it is, how it is folded, what it costs."""
        return self.manifest["layers"]

    @property
    def graph(self) -> Graph:
        return self.schedule.graph

    @property
    def work(self) -> Path:
        """Where simulations and syntheses build. Not part of the project: it may be deleted at any time."""
        return self.path / WORK

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """Files that are not as they were generated, in order."""
        digests = files_of(self.manifest)
        return tuple(name for name in sorted(digests) if _digest_of(self.path / name) != digests[name])

    def record(self, key: str, value: Any) -> None:
        """Write what a tool found out about the project to its manifest, under `key`, which `generate` leaves free."""
        with locked(self.path / MANIFEST):
            manifest = load(self.path)
            if manifest is None:
                raise ProjectError(f"{self.path}: {MANIFEST} is gone; generate it anew")
            manifest.setdefault(RESULTS, {})[key] = value
            replace_file(self.path / MANIFEST, to_json(manifest))
        self.manifest[RESULTS] = manifest[RESULTS]

    @property
    def results(self) -> dict[str, Any]:
        """What tools found out, by the key that `record` was given."""
        return self.manifest.get(RESULTS, {})

    def check_whole(self, folder: str) -> None:
        """ProjectError where a generated file of `folder` is missing: a tool would say so late, or not at all."""
        names = sorted(name for name in files_of(self.manifest) if name.startswith(f"{folder}/"))
        missing = [name for name in names if not (self.path / name).is_file()]
        if missing or not names:
            what = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            raise ProjectError(f"{self.path}: {what or folder} missing; generate it anew")


def _digest_of(path: Path) -> str | None:
    try:
        return digest(path.read_bytes())
    except OSError:
        return None


def read(directory: str | Path) -> Project:
    """Load a generated directory; ProjectError where it is none, or where its model is damaged."""
    path = Path(directory)
    if not path.is_dir():
        raise ProjectError(f"{path}: no such directory; make one with 'penni-hls generate CHECKPOINT -o {path}'")
    manifest = load(path)
    if manifest is None:
        raise ProjectError(
            f"{path}: not a penni-hls project ({MANIFEST} is missing or not one); make one with 'penni-hls generate'"
        )
    try:
        schedule, float_graph = decode(manifest, path)
    except ProjectError as error:
        raise ProjectError(f"{path}: {error}; generate it anew") from None
    return Project(path, manifest, schedule, float_graph)


def check_target(directory: str | Path) -> None:
    """ProjectError unless a project may be written to `directory`: it is new, empty, or a project and nothing else."""
    path = Path(directory)
    place = next(parent for parent in path.resolve().parents if parent.exists())
    if not place.is_dir():
        raise ProjectError(f"cannot write to {path}: {place} is not a directory; choose another with -o")
    if not os.access(place, os.W_OK | os.X_OK):
        raise ProjectError(f"cannot write to {path}: no permission to write in {place}; choose another with -o")
    with locked(place) if os.access(place, os.R_OK) else nullcontext():  # no other process replaces it meanwhile
        if path.is_dir():
            _check_replaceable(path)
        elif path.exists() or path.is_symlink():
            raise ProjectError(f"cannot write to {path}: it is not a directory; choose another with -o")


def _check_replaceable(path: Path) -> None:
    if not any(path.iterdir()):
        return
    manifest = load(path)
    if manifest is None:
        raise ProjectError(
            f"cannot write to {path}: it holds files and is no penni-hls project; choose another with -o"
        )
    ours = {MANIFEST, REPORT, *files_of(manifest)}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path)
        if (
            not file.is_dir()
            and name.as_posix() not in ours
            and name.parts[0] != WORK
            and "__pycache__" not in name.parts
        ):
            raise ProjectError(
                f"cannot write to {path}: {name} was not generated and would be lost; "
                "move it, or choose another with -o"
            )


def write(bundle: Bundle, directory: str | Path) -> None:
    """Write all files of `bundle` (path -> bytes) as `directory`, or none: a sibling is filled, then renamed.

    A project that was there is replaced as a whole. On any failure, an interrupt included, what was there is left.
    """
    check_target(directory)
    path = Path(directory).resolve()
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(path.parent, path.name) as fresh:
            for name, data in bundle.items():
                file = fresh / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
                if data.startswith(b"#!"):
                    file.chmod(0o755)
            replace_folder(fresh, path)
    except BaseException as error:
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
        if isinstance(error, OSError):
            raise ProjectError(
                f"cannot write to {directory}: {error.strerror}; choose another directory with -o"
            ) from None
        raise
