"""Results kept between runs: used where they are what was written, computed again otherwise, and never in the way."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from penni_hls import store
from penni_hls.ir.fixed import QType
from penni_hls.ir.ops import adder_graph
from penni_hls.ir.ops.adder_graph import AdderGraph

MATRIX = np.array([[3, -5, 7], [1, 0, 12]])
TYPE = QType(8, signed=True)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.SWITCH, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """What the solver is asked for."""
    asked: list[np.ndarray] = []
    real = adder_graph.cmvm_solve
    monkeypatch.setattr(
        adder_graph, "cmvm_solve", lambda matrix, **given: asked.append(matrix) or real(matrix, **given)
    )
    return asked


def again() -> AdderGraph:
    """As another process finds it."""
    adder_graph._solve.cache_clear()
    return adder_graph.solve(MATRIX, TYPE)


def entry(place: Path) -> Path:
    (file,) = (place / "adders").iterdir()
    return file


def test_another_process_finds_the_same(place: Path, solved: list) -> None:
    first = again()
    assert again() == first and len(solved) == 1
    assert adder_graph.solve(MATRIX, TYPE) is adder_graph.solve(MATRIX, TYPE)


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "foreign", "folder"])
def test_a_damaged_or_foreign_entry_is_replaced(damage: str, place: Path, solved: list) -> None:
    first = again()
    file = entry(place)
    content = file.read_bytes()
    if damage == "foreign":  # whole, but the graph of another matrix
        file.unlink()
        adder_graph.solve(2 * MATRIX, TYPE)
        entry(place).rename(file)
    elif damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes({"cut": content[:-9], "empty": b"", "flipped": content[:-9] + b"9" + content[-8:]}[damage])
    before = len(solved)
    assert again() == first and len(solved) == before + 1
    if damage != "folder":
        assert file.read_bytes() == content


def test_what_it_depends_on_is_in_its_name(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again()
    adder_graph.solve(MATRIX, QType(8, signed=False))
    adder_graph.solve(MATRIX.T, TYPE)
    monkeypatch.setattr(adder_graph, "version", lambda name: "0.0")
    again()
    assert len(list((place / "adders").iterdir())) == 4


@pytest.mark.parametrize("value", ["off", "/proc/nowhere", "/dev/null/cache"])
def test_without_a_folder_everything_works(value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(store.SWITCH, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert np.array_equal(again().evaluate(np.eye(3, dtype=np.int64)), MATRIX.T)
    assert not list(tmp_path.iterdir())


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(store.SWITCH, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.folder() == tmp_path / "penni-hls"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.folder() == tmp_path / ".cache" / "penni-hls"


def test_there_are_not_ever_more(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST", 8)
    for number in range(20):
        made = store.stored("numbers", str(number), partial(int, number), lambda n: json.dumps(n).encode(), json.loads)
        assert made == number
        assert len(list((place / "numbers").iterdir())) <= 8
