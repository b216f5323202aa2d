"""Several simulations of one project at once, and simulations that were killed: neither disturbs another."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from penni_hls.backends import cache
from penni_hls.files import replace_file
from penni_hls.locks import SUFFIX, free_folder, locked, remove_leftovers, temporary_folder
from penni_hls.project import write

WEIRD = "a b$(c)#\"d\";'e'\\f%g:h,é*?&|<>~!"
COMPILES_WITHIN = 90.0  # seconds


@pytest.fixture
def project(small_project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_project, tmp_path / "small"))


def simulate(project: Path, engine: str, *options: str) -> subprocess.Popen:
    command = [
        sys.executable,
        "-m",
        "penni_hls",
        "simulate",
        "--engine",
        engine,
        "--count",
        "1",
        *options,
        "--",
        project,
    ]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def assert_all_pass(running: list[subprocess.Popen]) -> None:
    said = [(child.communicate(timeout=500)[0], child.returncode) for child in running]
    assert all(code == 0 and "equal to the reference, bit for bit" in text for text, code in said), said


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "processes"), [("csim", 2), ("csim", 4), ("rtl", 4)])
def test_simulations_at_once(engine: str, processes: int, project: Path) -> None:
    assert_all_pass([simulate(project, engine) for _ in range(processes)])
    assert_all_pass([simulate(project, engine)])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["csim", "rtl"])
def test_single_operators_at_once(engine: str, project: Path) -> None:
    """Each has sources of its own, so none may take the other's build."""
    assert_all_pass([simulate(project, engine, "--layer", name) for name in ("conv1.mac", "linear.mac")])


def descendants(pid: int) -> set[int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(path.parent.name)] = int(fields[1])
    found, layer = set(), {pid}
    while layer := {child for child, parent in parents.items() if parent in layer} - found:
        found |= layer
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if _command(pid)}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def wait_for(what, seconds: float = 60.0):
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)
    return found


def compiling(project: Path, child: subprocess.Popen) -> bool:
    """Is a build of `child` under way, with a compiler running?"""
    names = (Path(f"/proc/{pid}/cmdline") for pid in descendants(child.pid))
    return any(b"cc1plus" in path.read_bytes() for path in names if path.exists())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "number"),
    [
        *(("csim", number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)),
        *(("rtl", number) for number in (signal.SIGTERM, signal.SIGKILL)),
    ],
)
def test_a_killed_build(engine: str, number: int, project: Path) -> None:
    """Nothing of it runs on, and the next simulation builds again and removes what was left.

    Of SIGKILL only the tool itself is told, not a compiler that it has called: that ends by itself.
    """
    child = simulate(project, engine)
    wait_for(lambda: compiling(project, child))
    children = descendants(child.pid)
    os.kill(child.pid, number)
    child.communicate(timeout=20)
    assert child.returncode == (-9 if number == signal.SIGKILL else 130)
    wait_for(lambda: not alive(children), 1.0 if number != signal.SIGKILL else COMPILES_WITHIN)
    assert_all_pass([simulate(project, engine)])
    assert not [path for path in (project / "build").rglob(".*") if path.is_dir()]


@pytest.mark.slow
def test_a_killed_run_of_the_simulator(project: Path) -> None:
    child = simulate(project, "rtl", "--images", str(many_images(project.parent)), "--count", "2000")
    running = wait_for(lambda: {p for p in descendants(child.pid) if b"penni_top" in command_of(p)}, 300)
    os.kill(child.pid, signal.SIGTERM)
    child.communicate(timeout=20)
    wait_for(lambda: not alive(running), 1.0)


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].rsplit(b"/", 1)[-1]
    except OSError:
        return b""


def many_images(folder: Path) -> Path:
    import numpy as np

    np.savez(folder / "images.npz", images=np.zeros((2000, 32, 32, 3), np.uint8))
    return folder / "images.npz"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "engine"), [(WEIRD, "csim"), (WEIRD, "rtl"), ("-p", "csim"), ("-I", "rtl")])
def test_any_name_of_a_folder(name: str, engine: str, small_project: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    shutil.copytree(small_project, tmp_path / name)
    assert_all_pass([simulate(Path(name), engine)])
    assert_all_pass([simulate(Path(name), engine, "--layer", "conv1.mac")])


@pytest.mark.slow
def test_the_projects_own_bench_in_such_a_folder(small_project: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(small_project, tmp_path / WEIRD))
    done = subprocess.run([sys.executable, "run.py"], cwd=project / "sim", capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("equal to the vectors, bit for bit") == 3, done.stderr
    assert subprocess.run([sys.executable, "run.py", "--lint"], cwd=project / "sim").returncode == 0


def test_a_result_is_built_once(tmp_path: Path) -> None:
    builds = []

    def build(folder: Path) -> None:
        builds.append(folder)
        time.sleep(0.2)
        (folder / "result").write_text("whole")

    threads = [threading.Thread(target=cache.built, args=(tmp_path / "model", "key", build)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builds) == 1 and (tmp_path / "model" / "result").read_text() == "whole"
    cache.built(tmp_path / "model", "other key", build)
    assert len(builds) == 2 and {path.name for path in tmp_path.iterdir()} == {"model", "model.lock"}


def test_who_waits_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("penni_hls.locks.PATIENCE", 0.1)
    told = []
    with locked(tmp_path / "lock"):
        thread = threading.Thread(target=lambda: _lock_once(tmp_path / "lock", told))
        thread.start()
        time.sleep(0.4)
        assert told == ["waiting"]
    thread.join()
    assert told == ["waiting", "held"]


def _lock_once(path: Path, told: list[str]) -> None:
    with locked(path, lambda: told.append("waiting")):
        told.append("held")


def test_folders_of_their_own(tmp_path: Path) -> None:
    with free_folder(tmp_path / "run") as first, free_folder(tmp_path / "run") as second:
        assert (first, second) == (tmp_path / "run", tmp_path / "run2")
    with free_folder(tmp_path / "run") as again:
        assert again == first


def test_only_what_nobody_holds_is_removed(tmp_path: Path) -> None:
    """A process that was killed cannot remove its folder; one that lives keeps it."""
    (tmp_path / f".model.killed{SUFFIX}").mkdir()
    (tmp_path / f".model.killed{SUFFIX}" / "file").write_text("")
    (tmp_path / f".model.file{SUFFIX}").write_text("")
    others = {".models", ".model.yaml", f".models.other{SUFFIX}"}
    for name in others:
        (tmp_path / name).mkdir()
    with temporary_folder(tmp_path, "model") as held:
        assert {path.name for path in tmp_path.iterdir()} == {held.name, *others}
        remove_leftovers(tmp_path, "model")
        assert held.is_dir()
    assert {path.name for path in tmp_path.iterdir()} == others


KILLED = """
import os, signal, sys
from pathlib import Path
from penni_hls import files
from penni_hls.locks import temporary_folder

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

with temporary_folder(Path(sys.argv[1]), "project") as folder:
    (folder / "half").write_text("written")
    files.replace_file(Path(sys.argv[1]) / "net.pt", die)
"""


def test_what_a_killed_process_left_goes_with_the_next(small_project: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path])
    assert done.returncode == -signal.SIGKILL and len(list(tmp_path.iterdir())) == 2
    write({"file": b"content"}, tmp_path / "project")
    replace_file(tmp_path / "net.pt", b"content")
    assert {path.name for path in tmp_path.iterdir()} == {"project", "net.pt"}


def test_projects_written_to_one_place_at_once(tmp_path: Path) -> None:
    manifest = b'{"format": "penni-hls project", "files": {"data": ""}}'
    bundles = [{"model.json": manifest, "data": bytes([n]) * 99} for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(15):
            list(pool.map(lambda bundle: write(bundle, tmp_path / "project"), bundles))
    assert [path.name for path in tmp_path.iterdir()] == ["project"]
    data = (tmp_path / "project" / "data").read_bytes()
    assert len(data) == 99 and len(set(data)) == 1
