"""The network drawn from top to bottom: where each operator's box lies, and the lines between them, in SVG units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...ir.graph import Graph
from ...ir.ops.base import Operator
from ...schedule import Link, Schedule

WIDTH, HEIGHT = 236, 40  # of a box
ACROSS, DOWN = 40, 26  # between two boxes
MARGIN = 14
LONGEST = 36  # characters of a name that fit a box
BULGE = 30  # of a line that passes by other boxes
COPY = re.compile(r"copy\d+\.")


@dataclass(frozen=True)
class Box:
    """x, y: its top left corner. text: the first line, the name or most of it. below: the second one. choices: every choice of
    its hardware, for a tooltip."""

    name: str
    text: str
    kind: str
    x: int
    y: int
    below: str
    choices: str


@dataclass(frozen=True)
class Line:
    """path: of an SVG. title: what is between the two boxes."""

    path: str
    title: str


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    box_width: int
    box_height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def draw(schedule: Schedule) -> Drawing:
    """Boxes lie as far down as the longest path to them is long; each copy of the network has columns of its own."""
    graph = schedule.graph
    level = _levels(graph)
    column = _columns(graph, level)
    at = {
        name: (MARGIN + round(column[name] * (WIDTH + ACROSS)), MARGIN + level[name] * (HEIGHT + DOWN))
        for name in level
    }
    boxes = tuple(
        Box(
            node.name,
            _short(node.name),
            node.op.kind,
            *at[node.name],
            _below(schedule, node.name),
            _choices(schedule, node.name),
        )
        for node in graph
    )
    links = {(link.dst, link.port): link for link in schedule.links}
    right = max(x for x, _ in at.values()) + WIDTH
    lines = [
        _line(
            at[name], at[node.name], level[node.name] - level[name] > 1, name, links.get((node.name, port)), node.name
        )
        for node in graph
        for port, name in enumerate(node.inputs)
    ]
    height = max(y for _, y in at.values()) + HEIGHT + MARGIN
    return Drawing(right + BULGE + ACROSS + MARGIN, height, WIDTH, HEIGHT, boxes, tuple(lines))


def _levels(graph: Graph[Operator]) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in graph:
        found[node.name] = 1 + max((found[name] for name in node.inputs), default=-1)
    return found


def _columns(graph: Graph[Operator], level: Mapping[str, int]) -> dict[str, float]:
    """Nodes of one copy and level side by side; the copies side by side; what is there once in the middle."""
    rows: dict[tuple[str, int], list[str]] = {}
    for node in graph:
        copy = COPY.match(node.name)
        rows.setdefault((copy.group() if copy else "", level[node.name]), []).append(node.name)
    widths: dict[str, int] = {}
    for (copy, _), names in rows.items():
        widths[copy] = max(widths.get(copy, 0), len(names))
    found, start = {}, 0
    for copy in widths:
        if copy:
            found |= {name: start + i for (of, _), names in rows.items() if of == copy for i, name in enumerate(names)}
            start += widths[copy]
    for (copy, _), names in rows.items():
        if not copy:
            first = max(0.0, (start - len(names)) / 2)
            found |= {name: first + index for index, name in enumerate(names)}
    return found


def _line(
    source: tuple[int, int], target: tuple[int, int], passes: bool, name: str, link: Link | None, reader: str
) -> Line:
    """From the lower edge of one box to the upper edge of another; beside the boxes where it passes by some."""
    x, y, u, v = source[0] + WIDTH // 2, source[1] + HEIGHT, target[0] + WIDTH // 2, target[1]
    fifo = f"a FIFO of {link.depth:,} words of {link.width} bits" if link else "joined without a FIFO"
    title = f"{name} to {reader}: {fifo}"
    if not passes:
        half = (v - y) // 2
        return Line(f"M{x} {y}C{x} {y + half} {u} {v - half} {u} {v}", title)
    side = max(source[0], target[0]) + WIDTH + BULGE
    x, u = source[0] + WIDTH, target[0] + WIDTH
    y, v = source[1] + HEIGHT // 2, target[1] + HEIGHT // 2
    return Line(
        f"M{x} {y}C{side} {y} {side} {y} {side} {y + DOWN}L{side} {v - DOWN}C{side} {v} {side} {v} {u} {v}", title
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 3]}…{name[-2 * LONGEST // 3 :]}"


def _below(schedule: Schedule, name: str) -> str:
    node = schedule.graph.by_name[name]
    shape = "×".join(map(str, node.op.out_spec.shape))
    if not node.op.hardware:
        return f"{shape} {node.op.out_spec.qtype}"
    folding = schedule.foldings[name]
    lanes = f", {folding.q}×{folding.p}" if (folding.q, folding.p) != (1, 1) else ""
    return f"{shape}{lanes}"


def _choices(schedule: Schedule, name: str) -> str:
    choices = schedule.foldings[name].choices()
    return ", ".join(f"{choice} {value}" for choice, value in choices.items())
