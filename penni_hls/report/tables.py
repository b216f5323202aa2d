"""Tables for people, none wider than report.console.WIDTH columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, left: int = 1, title: str | None = None
) -> Table:
    """The first `left` columns left-aligned, folded where the table is too wide; the rest right-aligned and never cut;
    numbers with thousands separators."""
    result = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for index, name in enumerate(columns):
        text = index < left
        result.add_column(name, justify="left" if text else "right", no_wrap=not text, overflow="fold")
    for row in rows:
        result.add_row(*(cell(value) for value in row))
    return result


def cell(value: object) -> str:
    """An int with thousands separators, a float with one decimal unless it is whole or large, None as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.1f}"
    return str(value)


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
