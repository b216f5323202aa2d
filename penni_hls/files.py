"""Where the files beside the package live (hw/, sim/, driver/ and templates/), and how a file is written atomically.

In a checkout (and after `pip install -e .`) they stand beside the package; a wheel carries them in `share/` within it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from .errors import UsageError
from .locks import locked, temporary_file, temporary_folder

_PACKAGE = Path(__file__).resolve().parent
_ROOT = _PACKAGE / "share" if (_PACKAGE / "share").is_dir() else _PACKAGE.parent

HW = _ROOT / "hw"
SIM = _ROOT / "sim"
DRIVER = _ROOT / "driver"
TEMPLATES = _ROOT / "templates"


def replace_file(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write `path` atomically: beside it, then renamed, so that it holds all of `content` or what it held before.

    content: the bytes, or what writes them to an open binary file. The folder must be there. UsageError where the file
    system refuses; any other exception of `content` passes through.
    """
    try:
        with temporary_file(path.parent, path.name) as (fresh, file):
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
            file.flush()
            fresh.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None


def replace_folder(fresh: Path, folder: Path) -> None:
    """Rename `fresh`, which lies beside it, to `folder`; what was there goes. OSError where that fails; it then stays."""
    with locked(folder.parent), temporary_folder(folder.parent, folder.name) as old:
        before = old / "before"
        if folder.exists():
            folder.rename(before)
        try:
            fresh.rename(folder)
        except OSError:
            if before.exists():
                before.rename(folder)
            raise
