"""What was built is not built again: results are kept under a digest of all that went in.

Several processes may ask for the same result at once: one builds, the others wait. A build works in a folder of its
own, which is renamed when it is complete, so a killed build leaves nothing that is taken for a result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from ..files import replace_file, replace_folder
from ..locks import locked, temporary_folder
from .result import Stage, silent

STAMP = "digest"


def key_of(texts: Iterable[str], files: Iterable[Path] = (), root: Path | None = None) -> str:
    """The digest of `texts` (commands, options) and of each file's name (its path below `root`, if given) and contents."""
    digest = hashlib.sha256("\0".join(texts).encode(errors="surrogateescape"))
    for path in files:
        name = path.name if root is None else path.relative_to(root).as_posix()
        digest.update(name.encode(errors="surrogateescape") + b"\0" + path.read_bytes())
    return digest.hexdigest()


def built(folder: Path, key: str, build: Callable[[Path], None], stage: Stage = silent) -> Path:
    """`folder` as `build` filled it for `key`: now, unless it was the last time.

    build: called with the empty folder to work in, whose path is another one. Where it fails, what it left there is
    moved to `folder` too, without a stamp, so that its logs can be read. stage: told when another process is waited for.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f"{folder.name}.lock")
    with locked(lock, lambda: stage(f"waiting for another process that builds {folder.name}")):
        stamp = folder / STAMP
        if not (stamp.is_file() and stamp.read_text() == key):
            with temporary_folder(folder.parent, folder.name) as fresh:
                try:
                    build(fresh)
                    (fresh / STAMP).write_text(key)
                finally:
                    replace_folder(fresh, folder)
    return folder


def kept(file: Path, make: Callable[[], bytes]) -> bytes:
    """The contents of `file`, whose name holds a key; where it is not there it is made first."""
    if not file.exists():
        replace_file(file, make())
    return file.read_bytes()
