"""Small projects for the scripts, on disk as `generate` would leave them, made without a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from penni_hls.backends.design import Design
from penni_hls.backends.emit import emit
from penni_hls.backends.vivado.emit import emit_vivado
from penni_hls.ir.serialize import to_json
from penni_hls.project import Project, digest
from penni_hls.project.manifest import FORMAT
from penni_hls.schedule import Schedule, plan
from penni_hls.target.boards import Board, load
from tests.networks import random_resnet


@cache
def planned() -> Schedule:
    return plan(random_resnet(blocks=1, widths=(4,), size=8, classes=7), load("pynq-z2"))


@cache
def files(board: Board) -> dict[str, bytes]:
    """Of one network, planned once; only the scripts follow the board."""
    if board != planned().board:
        scripts = emit_vivado(_design(board))
        return files(planned().board) | {name: text.encode() for name, text in scripts.items()}
    return emit(_design(board))


def _design(board: Board) -> Design:
    return Design("net", "a network", replace(planned(), board=board), 1.0, ())


def write(path: Path, board: Board, *folders: str) -> Path:
    """Write the project's files to `path`; those of `folders` only, where any are given."""
    for name, data in files(board).items():
        if not folders or name.split("/")[0] in folders:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    return path


def project(path: Path, board: Board) -> Project:
    """A project without its networks' arrays: what Vivado is run on."""
    write(path, board)
    made = files(board)
    manifest = {"format": FORMAT, "name": "net", "files": {name: digest(data) for name, data in made.items()}}
    (path / "model.json").write_bytes(to_json(manifest))
    schedule = replace(planned(), board=board)
    return Project(path, manifest, schedule, float_graph=None)
