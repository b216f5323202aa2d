"""Where the files live that are no Python, hw/, sim/ and templates/; and how a file is replaced as a whole.

In a checkout (and after `pip install -e .`) they stand beside the package; a wheel carries them in `share/` within it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from .errors import UsageError

_PACKAGE = Path(__file__).resolve().parent
_ROOT = _PACKAGE / "share" if (_PACKAGE / "share").is_dir() else _PACKAGE.parent

HW = _ROOT / "hw"
SIM = _ROOT / "sim"
TEMPLATES = _ROOT / "templates"


def replace_file(path: Path, data: bytes) -> None:
    """Write beside the place, then rename: the file is whole, or what was there. UsageError where that fails."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            fresh.unlink()
