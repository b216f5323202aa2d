"""External tools as child processes that do not outlive penni-hls.

Each runs in a process group of its own, and the group (make, its g++, their cc1plus) is ended when the call is
interrupted or the process that called it dies.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ..errors import ToolError

GRACE = 0.3  # seconds that a group has after SIGTERM, before SIGKILL
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FULL = 1 << 20  # bytes: a disk with less left counts as full
FULL_MESSAGES = (
    *(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)),
    "File size limit exceeded",
)
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)

Finished = subprocess.CompletedProcess[str]

_running: set[subprocess.Popen] = set()
_lock = threading.Lock()
_ending = threading.Event()


def execute(
    command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None,
    log: IO[str] | None = None, timeout: float | None = None, each: Callable[[str], None] | None = None,
) -> Finished:  # fmt: skip
    """Run `command` to its end, without input. stdout and stderr as text, or both written to `log`, or each line of both
    given to `each` as it comes (without its end; `timeout` then does not count).

    OSError where it cannot be started; subprocess.TimeoutExpired after `timeout` seconds.
    """
    out, err = (subprocess.PIPE, subprocess.PIPE) if log is None else (log, subprocess.STDOUT)
    err = err if each is None else subprocess.STDOUT
    with _lock:
        if _ending.is_set():
            raise ToolError("interrupted")
        child = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True, errors="replace",
            start_new_session=True, preexec_fn=_die_with_parent,
        )  # fmt: skip
        _running.add(child)
    try:
        if each is not None:
            for line in child.stdout or ():
                each(line.rstrip("\n"))
        said, complained = child.communicate(timeout=timeout)
    except BaseException:
        _end([child])
        raise
    finally:
        _running.discard(child)
    return subprocess.CompletedProcess(list(command), child.returncode, said, complained)


def full_disk(said: str, folder: Path) -> str | None:
    """Why a tool that wrote to `folder` failed, where a full disk is the reason: which disk, and what to do.

    said: what the tool printed. Not every tool names the reason, so the free space is looked at too.
    """
    free = {place: _free(place) for place in (folder, Path(tempfile.gettempdir()))}
    place = min(free, key=lambda name: free[name])
    said_so = next((message for message in FULL_MESSAGES if message.lower() in said.lower()), None)
    if said_so is None and free[place] >= FULL:
        return None
    return (
        f"{said_so or FULL_MESSAGES[0]}: the disk of {place} has {free[place] / 1e6:,.0f} MB left; free some space there"
        f"{', or set TMPDIR to a folder on another disk' if place != folder else ''}"
    )


def _free(folder: Path) -> float:
    """Bytes that may still be written there; 0, too, where no further file can be made."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return float("inf")
    return 0 if disk.f_files and not disk.f_favail else disk.f_bavail * disk.f_frsize


def end_with_signals() -> None:
    """From now on SIGTERM, SIGINT and SIGHUP end all children, then raise KeyboardInterrupt. Main thread only."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: Any) -> None:
    _ending.set()
    _end(list(_running))
    raise KeyboardInterrupt


def _end(children: Sequence[subprocess.Popen]) -> None:
    """End their process groups: politely first, so that make removes what is half written."""
    _signal(children, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while time.monotonic() < until and any(map(_lives, children)):
        time.sleep(0.01)
    _signal(children, signal.SIGKILL)


def _signal(children: Sequence[subprocess.Popen], number: int) -> None:
    for child in children:
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def _lives(child: subprocess.Popen) -> bool:
    """Is any process of its group left, other than as a zombie that nobody has waited for yet?"""
    child.poll()
    try:
        os.killpg(child.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _die_with_parent() -> None:
    """In the child: SIGTERM where penni-hls dies, even of SIGKILL."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
