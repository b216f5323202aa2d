"""`penni-hls doctor`: which external tools are found, what is missing without the others, and how to get them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ..backends.probe import probe_all
from ..report.console import Reporter
from ..report.tables import table
from .options import Json


def doctor(as_json: Json = False) -> int:
    """Show which external tools are found, what is missing without each, and how to get it. Exit 1 where a needed one is
    not found.

    \b
    Examples:
      penni-hls doctor
      penni-hls doctor --json
    """
    report = Reporter(as_json)
    tools = probe_all()
    rows = []
    for tool in tools:
        state = (tool.version or "found") if tool.found else "MISSING" if tool.needed else "not found"
        rows.append((tool.name, state, _near(tool.where) if tool.found else tool.without))
    report.table(table(("tool", "state", "where, or what is missing without it"), rows, left=3))
    absent = [tool for tool in tools if not tool.found]
    if absent:
        report.say("How to get what was not found (Debian's names; as root where apt-get is):")
    for tool in absent:
        report.say(f"  {tool.name:10} {tool.get}")
    missing = [tool.name for tool in absent if tool.needed]
    report.say(f"Missing: {', '.join(missing)}." if missing else "All needed tools are found; the others are optional.")
    report.result({"ok": not missing, "tools": [dataclasses.asdict(tool) | {"found": tool.found} for tool in tools]})
    return 1 if missing else 0


def _near(where: str) -> str:
    """A path relative to the working directory, where it lies below it."""
    path = Path(where)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
