"""Locks on files and folders that several processes use. The system releases them when a process ends, killed or not.

Where the file system has no locks (some network shares), everything works without them, as long as one process at a
time uses a folder.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PATIENCE = 2.0  # seconds of waiting that nobody is told of
POLL = 0.05  # seconds
SUFFIX = ".penni-tmp"  # of temporary files and folders: nobody else's end so


@contextmanager
def locked(file: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock `file`, a folder, or a file that is made where it is missing; its folder must be there.

    waiting: called once where another process holds it for longer than PATIENCE.
    """
    start, told = time.monotonic(), False
    flags = os.O_RDONLY if file.is_dir() else os.O_RDWR | os.O_CREAT
    while (handle := _try(file, flags)) is None:
        if not told and time.monotonic() - start > PATIENCE:
            told = True
            waiting()
        time.sleep(POLL)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def free_folder(folder: Path) -> Iterator[Path]:
    """`folder`, or `folder`2, `folder`3, … where another process uses that: for this one alone while the block runs.

    What the last user left in it is still there. The folder above is made; the folder itself is not.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        chosen = folder if number == 1 else folder.with_name(f"{folder.name}{number}")
        handle = _try(chosen.with_name(f"{chosen.name}.lock"), os.O_RDWR | os.O_CREAT)
        if handle is not None:
            break
    try:
        yield chosen
    finally:
        os.close(handle)


@contextmanager
def temporary_folder(place: Path, name: str) -> Iterator[Path]:
    """A new folder `.name.….tmp` in `place`, removed at the end unless it was renamed. What killed processes left of that
    kind is removed first."""
    remove_leftovers(place, name)
    fresh = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=SUFFIX, dir=place))
    handle = _try(fresh, os.O_RDONLY)
    while handle is None:  # another process was about to remove it as a leftover
        fresh.mkdir(0o700, exist_ok=True)
        handle = _try(fresh, os.O_RDONLY)
    try:
        fresh.chmod(0o755)
        yield fresh
    finally:
        with suppress(OSError):  # it may have been renamed
            if fresh.stat().st_ino == os.fstat(handle).st_ino:
                shutil.rmtree(fresh, ignore_errors=True)
        os.close(handle)


def remove_leftovers(place: Path, name: str) -> None:
    """Remove the temporary files and folders of `name` in `place` that no living process holds."""
    with suppress(OSError):
        for path in place.iterdir():
            if path.name.startswith(f".{name}.") and path.name.endswith(SUFFIX):
                _remove_unless_held(path)


@contextmanager
def temporary_file(place: Path, name: str) -> Iterator[tuple[Path, BinaryIO]]:
    """The same for a file: its path, and the file opened for writing."""
    remove_leftovers(place, name)
    while True:
        fresh = place / f".{name}.{secrets.token_hex(4)}{SUFFIX}"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        with os.fdopen(handle, "wb") as file:
            if not os.fstat(handle).st_nlink:
                continue  # another process has just removed it as a leftover
            try:
                yield fresh, file
            finally:
                with suppress(OSError):
                    if fresh.stat().st_ino == os.fstat(handle).st_ino:
                        fresh.unlink()
            return


def _remove_unless_held(path: Path) -> None:
    with suppress(OSError):
        handle = _try(path, os.O_RDONLY | os.O_NOFOLLOW, sure=True)
        if handle is None:
            return
        try:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        finally:
            os.close(handle)


def _try(path: Path, flags: int, sure: bool = False) -> int | None:
    """A descriptor that holds `path`, or None where another process does, or has just removed it.

    sure: None, too, where the file system has no locks.
    """
    try:
        handle = os.open(path, flags | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:
        if flags & os.O_CREAT:
            raise
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:
        if sure:
            os.close(handle)
            return None
        return handle
    try:
        same = os.stat(path).st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        same = False
    if not same:
        os.close(handle)
        return None
    return handle
