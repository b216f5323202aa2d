from __future__ import annotations

from pathlib import Path

import pytest

from .vivado import StandIn, install, path_with


@pytest.fixture
def vivado(tmp_path: Path, monkeypatch) -> StandIn:
    """The stand-in on PATH."""
    found = install(tmp_path / "bin")
    monkeypatch.setenv("PATH", path_with(found.folder))
    return found
