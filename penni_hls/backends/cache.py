"""What was built is not built again: results are kept under a digest of all that went in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from ..files import replace_file

STAMP = "digest"


def key_of(texts: Iterable[str], files: Iterable[Path] = (), root: Path | None = None) -> str:
    """The digest of `texts` (commands, options) and of each file's name (its path below `root`, if given) and contents."""
    digest = hashlib.sha256("\0".join(texts).encode())
    for path in files:
        name = path.name if root is None else path.relative_to(root).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def built(folder: Path, key: str, build: Callable[[], None]) -> Path:
    """`folder`, in which `build` was run for `key`: now, unless it was the last time. A failed build leaves no stamp."""
    stamp = folder / STAMP
    if not (stamp.is_file() and stamp.read_text() == key):
        folder.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        build()
        stamp.write_text(key)
    return folder


def kept(file: Path, make: Callable[[], bytes]) -> bytes:
    """The contents of `file`, whose name holds a key; where it is not there it is made first."""
    if not file.exists():
        replace_file(file, make())
    return file.read_bytes()
