"""The generated directory: put together in memory, written at one stroke, read back.

    model.json   manifest: what went in, formats, schedule, performance, sha256 of every other file
    model.npz    the arrays of the integer and of the float network
    hls/ rtl/ sim/ vivado/ driver/ README.md

No timestamps anywhere: the same input gives the same bytes. Simulations and syntheses work in `build/` within it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .errors import ProjectError
from .ir import vocabulary
from .ir.graph import Graph, GraphError, verify
from .ir.serialize import Codec, from_npz
from .schedule import Link, Schedule
from .target.boards import Board, Usable

FORMAT, VERSION = "penni-hls project", 1
MANIFEST, ARRAYS, WORK = "model.json", "model.npz", "build"
INTEGER = Codec((Schedule, *vocabulary.FOLDINGS, Link, Board, Usable, *vocabulary.INTEGER))
FLOAT = Codec(vocabulary.FLOAT)

Bundle = Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class Project:
    """A generated directory. schedule: the integer network, planned; float_graph: the network it was made from."""

    path: Path
    manifest: dict
    schedule: Schedule
    float_graph: Graph

    @property
    def name(self) -> str:
        return self.manifest["name"]

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
        digests = self.manifest["files"]
        return tuple(name for name in sorted(digests) if _digest_of(self.path / name) != digests[name])


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


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
    manifest = _manifest(path)
    if manifest is None:
        raise ProjectError(
            f"{path}: not a penni-hls project ({MANIFEST} is missing or not one); make one with 'penni-hls generate'"
        )
    if manifest.get("version") != VERSION:
        raise ProjectError(
            f"{path}: project format {manifest.get('version')}, this penni-hls reads {VERSION}; generate it anew"
        )
    again = "generate it anew"
    try:
        data = (path / ARRAYS).read_bytes()
    except OSError as error:
        raise ProjectError(f"{path / ARRAYS}: {error.strerror}; {again}") from None
    try:
        if digest(data) != manifest["files"][ARRAYS]:
            raise ProjectError(f"{ARRAYS} is not the one that was generated (its digest differs)")
        arrays = from_npz(data)
        schedule = INTEGER.decode(manifest["schedule"], arrays)
        float_graph = FLOAT.decode(manifest["float"], arrays)
        if not isinstance(schedule, Schedule) or not isinstance(float_graph, Graph):
            raise ProjectError("it holds no schedule, or no float network")
        verify(schedule.graph)
        verify(float_graph)
    except (ProjectError, GraphError) as error:
        raise ProjectError(f"{path}: {error}; {again}") from None
    except KeyError as error:
        raise ProjectError(f"{path}: {MANIFEST} lacks {error}; {again}") from None
    return Project(path, manifest, schedule, float_graph)


def _manifest(path: Path) -> dict | None:
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return manifest if isinstance(manifest, dict) and manifest.get("format") == FORMAT else None


def check_target(directory: str | Path) -> None:
    """ProjectError unless a project may be written to `directory`: it is new, empty, or a project and nothing else."""
    path = Path(directory)
    if path.is_dir():
        _check_replaceable(path)
        probe = path.resolve().parent
    elif path.exists() or path.is_symlink():
        raise ProjectError(f"cannot write to {path}: it is not a directory; choose another with -o")
    else:
        probe = next(parent for parent in path.resolve().parents if parent.exists())
    if not probe.is_dir():
        raise ProjectError(f"cannot write to {path}: {probe} is not a directory; choose another with -o")
    if not os.access(probe, os.W_OK | os.X_OK):
        raise ProjectError(f"cannot write to {path}: no permission to write in {probe}; choose another with -o")


def _check_replaceable(path: Path) -> None:
    if not any(path.iterdir()):
        return
    manifest = _manifest(path)
    if manifest is None:
        raise ProjectError(
            f"cannot write to {path}: it holds files and is no penni-hls project; choose another with -o"
        )
    ours = {MANIFEST, *manifest.get("files", {})}
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
    fresh = old = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        for name, data in bundle.items():
            file = fresh / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            if data.startswith(b"#!"):
                file.chmod(0o755)
        fresh.chmod(0o755)
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            path.rename(old)  # onto an empty directory, which rename replaces
        fresh.rename(path)
    except BaseException as error:
        if old is not None and not path.exists() and any(old.iterdir()):
            old.rename(path)
        for leftover in (fresh, old):
            if leftover is not None:
                shutil.rmtree(leftover, ignore_errors=True)
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
        if isinstance(error, OSError):
            raise ProjectError(
                f"cannot write to {directory}: {error.strerror}; choose another directory with -o"
            ) from None
        raise
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
