"""One function for many arguments: results in order, whoever computed them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from penni_hls import workers

ROOT = Path(__file__).resolve().parents[1]


def squared(number: int) -> tuple[int, int]:
    print("to stdout, where results must not be disturbed")
    time.sleep(0.05)
    return number * number, os.getpid()


def dies_elsewhere(caller: int, number: int) -> int:
    if os.getpid() != caller:
        os._exit(1)
    time.sleep(0.05)
    return number


def refuses(number: int) -> int:
    time.sleep(0.05)
    if number == 30:
        raise ValueError("not 30")
    return number


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ALONE", 0.0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})


def test_results_come_in_the_order_of_the_calls_from_several_processes() -> None:
    found = workers.each(squared, [(number,) for number in range(200)])
    assert [value for value, _ in found] == [number * number for number in range(200)]
    assert len({process for _, process in found}) == 3


def test_what_a_process_that_dies_leaves_undone_the_caller_does() -> None:
    assert workers.each(dies_elsewhere, [(os.getpid(), number) for number in range(60)]) == list(range(60))


def test_what_the_function_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="not 30"):
        workers.each(refuses, [(number,) for number in range(60)])


def test_where_no_process_can_be_started_the_caller_does_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    found = workers.each(squared, [(number,) for number in range(20)])
    assert {process for _, process in found} == {os.getpid()}


def test_a_script_without_a_main_guard_and_its_death_leave_no_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os\nfrom penni_hls import workers\nfrom tests import test_workers\nworkers.ALONE = 0\n"
        "os.sched_getaffinity = lambda pid: {0, 1, 2}\n"
        "print('began', flush=True)\nworkers.each(test_workers.squared, [(n,) for n in range(10_000)])\n"
    )
    child = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    mark = f"PYTHONPATH={tmp_path}".encode()  # only what it starts has this: the script's folder comes first
    assert child.stdout is not None and child.stdout.readline() == "began\n"
    _until(lambda: _with(mark))
    child.kill()
    child.wait()
    _until(lambda: not _with(mark))


def _with(mark: bytes) -> list[Path]:
    """Processes that have it in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "environ").read_bytes():
                found.append(place)
        except OSError:
            continue
    return found


def _until(holds, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
