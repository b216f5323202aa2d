"""For all tests: slow ones last, no cache, the data of ../shared where it is there, a small checkpoint, the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from .cli.small import save_checkpoint, small_state_dict

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

os.environ["PENNI_HLS_CACHE"] = "off"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests run after all others, so that a mistake shows early."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def shared_models() -> Path:
    return _shared("models")


@pytest.fixture(scope="session")
def cifar10() -> Path:
    return _shared("data/cifar-10-batches-bin")


def _shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        """The one object that --json prints; fails where stdout holds anything else."""
        return json.loads(self.out)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """The command line, run within this process."""
    from penni_hls.cli import run

    def call(*args: object) -> Finished:
        capsys.readouterr()
        code = run([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return Finished(code, out, err)

    return call


@pytest.fixture(scope="session")
def small_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(small_state_dict(), tmp_path_factory.mktemp("checkpoint") / "small.pt")


@pytest.fixture(scope="session")
def small_project(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network, one copy of it, generated for pynq-z2. Tests must not change it."""
    from penni_hls import generate

    directory = tmp_path_factory.mktemp("project") / "small"
    generate(small_checkpoint, directory, copies=1)
    return directory
