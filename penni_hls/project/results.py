"""What was found out about a project after it was generated: `build/results/<name>.json`, for reports.

name: what ran, as `simulate-rtl`, `synth-yosys`, `evaluate`. They go with `build/` where the project is generated anew.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from ..errors import UsageError
from ..files import replace_file
from ..ir.serialize import to_json
from .directory import Project

FOLDER = "results"


def save(project: Project, name: str, found: dict[str, Any]) -> None:
    """Keep `found`, plain data, in place of what was kept under `name`. Where the project cannot be written, nothing is."""
    folder = project.work / FOLDER
    with suppress(OSError, UsageError):
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / f"{name}.json", to_json(found))


def load(project: Project) -> dict[str, dict[str, Any]]:
    """Everything that was kept, by name; what cannot be read is left out."""
    found = {}
    for path in sorted((project.work / FOLDER).glob("*.json")):
        with suppress(OSError, ValueError, RecursionError):
            content = json.loads(path.read_bytes())
            if isinstance(content, dict):
                found[path.stem] = content
    return found
