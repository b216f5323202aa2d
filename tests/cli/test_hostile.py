"""Damaged projects, boards, vectors and surroundings: one line and exit code 2, never a traceback."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penni_hls.target import boards

CLOCK = "clock_mhz = 125.0"
OTHERS = (None, True, 5, -1, 0, 1.5, 10**30, "x", "", [], {}, [1, 2], {"a": 1}, "é/../../x")


@pytest.fixture
def project(small_project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_project, tmp_path / "small"))


def assert_one_line(done) -> str:
    lines = [line for line in done.err.splitlines() if not line.startswith("note: ")]
    assert done.code == 2 and len(lines) == 1 and lines[0].startswith("penni-hls: error: "), done
    return lines[0].removeprefix("penni-hls: error: ")


def places(node: Any, at: tuple = ()) -> Iterator[tuple]:
    """The way to each value of a manifest; of lists the first two items."""
    if at:
        yield at
    items = node.items() if isinstance(node, dict) else enumerate(node[:2]) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*at, key))


def changed(manifest: dict, place: tuple, value: Any, delete: bool) -> dict:
    result = copy.deepcopy(manifest)
    parent: Any = result
    for key in place[:-1]:
        parent = parent[key]
    if delete:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    return result


@pytest.mark.slow
def test_no_edit_of_a_manifest_gives_a_traceback(project: Path, command) -> None:
    """Each value is deleted and replaced by one of another type (in order, so that all types come everywhere)."""
    file = project / "model.json"
    manifest = json.loads(file.read_text())
    every = list(places(manifest))
    assert len(every) > 300
    for index, place in enumerate(every):
        for delete, value in (
            (True, None),
            (False, OTHERS[index % len(OTHERS)]),
            (False, OTHERS[(index // 7) % len(OTHERS)]),
        ):
            file.write_text(json.dumps(changed(manifest, place, value, delete)))
            done = command("simulate", project, "--engine", "reference", "--count", 1)
            if done.code == 1:  # a sound network, but no longer that of the vectors
                assert done.out.count("\n") == 1 and "MISMATCH" in done.out, done
            elif done.code:
                assert_one_line(done)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("files",), 5, "lacks 'model.npz'"),
        (("files",), None, "lacks 'model.npz'"),
        (("schedule", "foldings"), {}, "has no folding"),
        (("schedule", "foldings", "conv1.mac", "q"), 0, "conv1.mac has no folding"),
        (("schedule", "foldings", "conv1.mac", "p"), 10**30, "not a penni-hls project"),
        (("schedule", "foldings", "conv1.mac"), "x", "foldings of the wrong kind"),
        (("schedule", "foldings", "conv1.mac", "q"), 1.5, "a field q of the wrong kind"),
        (("schedule", "links"), [1], "links of the wrong kind"),
        (("float", "nodes"), [], "something that is no FloatLayer"),
        (("float", "nodes", 1, "op"), 0, "something that is no FloatLayer"),
        (("schedule", "graph", "nodes", 1, "op", "basis", "dtype"), {}, "which is no array"),
        (("notes",), [5], "a note is no text"),
        (("name",), 5, "name is no str"),
        (("schedule", "board", "clock_mhz"), float("inf"), "not a penni-hls project"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("words", [("simulate", "--engine", "reference"), ("synth",), ("evaluate", "--data", "none")])
def test_an_edited_manifest(
    words: tuple[str, ...], place: tuple, value: Any, said: str, project: Path, command
) -> None:
    file = project / "model.json"
    file.write_text(json.dumps(changed(json.loads(file.read_text()), place, value, False)))
    assert said in assert_one_line(command(words[0], project, *words[1:]))


@pytest.mark.parametrize(
    ("engine", "file"),
    [
        ("reference", "hls/vectors/s_axis.bin"),
        ("reference", "hls/vectors/m_axis.expect.bin"),
        ("csim", "hls/vectors/*"),
        ("csim", "hls/testbench.cpp"),
        ("rtl", "rtl/mem/*"),
    ],
)
def test_missing_and_truncated_files(engine: str, file: str, project: Path, command) -> None:
    sizes = (0, 5) if engine == "reference" else ()
    for path in sorted(project.glob(file)):
        whole = path.read_bytes()
        for size in sizes:
            path.write_bytes(whole[:size])
            assert "the vectors are damaged" in assert_one_line(command("simulate", project, "--engine", engine))
        path.unlink()
    assert "generate" in assert_one_line(command("simulate", project, "--engine", engine, "--count", 1))


@pytest.mark.parametrize("count", [10**11, 10**18])
def test_more_images_than_memory(count: int, project: Path, command) -> None:
    said = assert_one_line(command("simulate", project, "--engine", "reference", "--count", count))
    assert said.startswith(f"--count {count}: not enough memory for ")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        *((CLOCK, f"clock_mhz = {value}", "clock_mhz is ") for value in ("inf", "nan", "-5", "0", "1e300", "1e-300")),
        *((CLOCK, f"clock_mhz = {value}", "it must be a number") for value in ('"x"', "true", "[1]", "{}")),
        ("lut = 53200", "lut = 99999999999999999999999999", "no device has so many"),
        ("lut = 53200", "lut = inf", "it must be a number"),
        ("bram36 = 140", "bram36 = 140\n[usable]\nlut = nan", "it must be above 0"),
        ('family = "7series"', 'family = "virtex2"', "family is 'virtex2'; known: 7series, ultrascale+"),
        ("title =", f"x = {'[' * 100_000}", "nested too deeply"),
        ("title =", f"x = {'9' * 9_000}", "not valid TOML"),
        ("title =", "\0", "not valid TOML"),
        ("title =", "\udcff", "not UTF-8 text"),
    ],
)  # fmt: skip
def test_a_damaged_board(old: str, new: str, said: str, small_checkpoint: Path, tmp_path: Path, command) -> None:
    text = (Path(boards.__file__).parent / "pynq-z2.toml").read_text()
    assert old in text
    (tmp_path / "b.toml").write_text(text.replace(old, new, 1), errors="surrogateescape")
    done = command("generate", small_checkpoint, "--board", tmp_path / "b.toml", "-o", tmp_path / "out")
    line = assert_one_line(done)
    assert line.startswith(f"board file {tmp_path / 'b.toml'}: ") and said in line and len(line) < 400
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--mean", "--std"])
@pytest.mark.parametrize("values", ["nan,nan,nan", "inf,1,1", "-inf,1,1", "1e300,1,1", ",,", "1,2"])
def test_numbers_that_are_none(option: str, values: str, small_checkpoint: Path, tmp_path: Path, command) -> None:
    assert_one_line(command("generate", small_checkpoint, option, values, "-o", tmp_path / "out"))


@pytest.mark.parametrize("values", ["0,0,0", "-1,1,1", "1e-320,1,1"])
def test_a_deviation_of_nothing(values: str, small_checkpoint: Path, tmp_path: Path, command) -> None:
    said = assert_one_line(command("generate", small_checkpoint, "--std", values, "-o", tmp_path / "out"))
    assert "a standard deviation of" in said and "it must lie between" in said


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"WORLD_SIZE": "abc"}, "the environment variable WORLD_SIZE is 'abc', not a number"),
        ({"WORLD_SIZE": "2"}, "RANK, MASTER_ADDR, MASTER_PORT not set"),
        ({"WORLD_SIZE": "2", "RANK": "x", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}, "RANK is 'x', not a number"),
        ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "abc"}, "MASTER_PORT is 'abc'"),
        ({"WORLD_SIZE": "2", "RANK": "7", "MASTER_ADDR": "localhost", "MASTER_PORT": "9"}, "do not go together"),
        ({"WORLD_SIZE": "-1", "RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "9"}, "do not go together"),
    ],
)
def test_an_environment_that_is_none(
    environment: dict, said: str, monkeypatch, data: Path, tmp_path: Path, command
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = command(
        "train", "--arch", "resnet8", "--data", data, "-o", tmp_path / "net.pt", "--epochs", 1, "--device", "cpu"
    )
    assert said in assert_one_line(done)


def test_checkpoints_and_images_that_are_none(small_checkpoint: Path, project: Path, tmp_path: Path, command) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    for name in ("empty", "folder", "missing"):
        assert_one_line(command("inspect", tmp_path / name))
        assert_one_line(command("generate", tmp_path / name, "-o", tmp_path / "out"))
    np.savez(tmp_path / "images.npz", images=np.zeros((3, 32, 32, 3), np.uint8))
    whole = (tmp_path / "images.npz").read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:300] + bytes([whole[300] ^ 255]) + whole[301:]):
        (tmp_path / "damaged.npz").write_bytes(damaged)
        assert_one_line(command("simulate", project, "--engine", "reference", "--images", tmp_path / "damaged.npz"))
        assert_one_line(
            command("generate", small_checkpoint, "--calibration", tmp_path / "damaged.npz", "-o", tmp_path / "o")
        )
