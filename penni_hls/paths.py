"""Where the files live that are no Python: hw/, sim/ and templates/.

In a checkout (and after `pip install -e .`) they stand beside the package; a wheel carries them in `share/` within it.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_ROOT = _PACKAGE / "share" if (_PACKAGE / "share").is_dir() else _PACKAGE.parent

HW = _ROOT / "hw"
SIM = _ROOT / "sim"
TEMPLATES = _ROOT / "templates"
