"""Results that are slow to compute, kept on disk by what they depend on, in the user's cache folder.

An entry is never trusted: where it is not what was written, or cannot be read, the result is computed again. So nothing
depends on the folder, which may be removed at any time. `PENNI_HLS_CACHE` names another one, or is `off`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from .errors import UsageError
from .files import replace_file

Result = TypeVar("Result")

SWITCH, OFF = "PENNI_HLS_CACHE", "off"
MOST = 4096  # entries of a kind; beyond, the older half goes


def folder() -> Path | None:
    """Where entries are kept; None: nowhere."""
    chosen = os.environ.get(SWITCH)
    if chosen:
        return None if chosen == OFF else Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:  # a path that is not absolute does not count, says the XDG specification
        return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "penni-hls"
    except RuntimeError:  # no home
        return None


def stored(
    kind: str, key: str, make: Callable[[], Result], write: Callable[[Result], bytes], read: Callable[[bytes], Result]
) -> Result:
    """What `make` gives, computed now or before. key: all that it depends on. read: the inverse of `write`; raises an
    exception where the bytes are not such a result."""
    place = folder()
    if place is None:
        return make()
    file = place / kind / hashlib.sha256(key.encode()).hexdigest()
    with suppress(Exception):
        digest, _, content = file.read_bytes().partition(b"\n")
        if digest == _digest(content):
            return read(content)
    result = make()
    content = write(result)
    with suppress(OSError, UsageError):  # a folder that cannot be written to is none
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, _digest(content) + b"\n" + content)
        _bound(file.parent)
    return result


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _bound(place: Path) -> None:
    entries = list(place.iterdir())
    if len(entries) > MOST:
        for old in sorted(entries, key=lambda path: path.stat().st_mtime)[: len(entries) - MOST // 2]:
            old.unlink(missing_ok=True)
