"""Vivado's reports -> numbers.

The forms are those of report_utilization, report_timing_summary and report_power (UG835, UG906), which have been the same
from 2017 to 2025 but for single columns: columns are found by their titles.

A report that lacks what is looked for is a ToolError: a number that is not there is not 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import ToolError
from ...target.resources import Resources

# The row of each resource in the summary tables: 7 series, UltraScale+. A device without UltraRAM has no row for it.
_SITES = {
    "lut": ("Slice LUTs", "CLB LUTs"), "ff": ("Slice Registers", "CLB Registers"), "dsp": ("DSPs",),
    "bram36": ("Block RAM Tile",), "uram": ("URAM",),
}  # fmt: skip
_DSP_COLUMNS = ("DSP Blocks", "DSP48 Blocks", "DSPs")
_SUMMARY = re.compile(r"^\s*WNS\(ns\)\s.*\n[ \t]*-{3}.*\n(?P<numbers>[^\n]+)$", re.MULTILINE)
_PATH = re.compile(
    r"^Slack \((?:MET|VIOLATED)\) :\s*(?P<slack>-?[\d.]+)ns.*?^\s+Source:\s+(?P<source>\S+).*?"
    r"^\s+Destination:\s+(?P<destination>\S+).*?^\s+Path Type:\s+(?P<type>\w+)",
    re.MULTILINE | re.DOTALL,
)
_LEVELS = re.compile(r"^\s+Logic Levels:\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Utilization:
    """used, available: of the whole device."""

    used: Resources
    available: Resources

    @property
    def over(self) -> tuple[str, ...]:
        """What is used more than there is, each with both numbers, in words."""
        used, have = self.used.as_dict(), self.available.as_dict()
        return tuple(
            f"{name.upper()} {used[name]:,.10g} of {have[name]:,.10g} ({100 * used[name] / have[name]:.0f} %)"
            if have[name]
            else f"{name.upper()} {used[name]:,.10g}, where the device has none"
            for name in used
            if used[name] > have[name]
        )


@dataclass(frozen=True)
class Path:
    """A timing path. slack: in ns, negative where it is too slow (setup) or too fast (hold). source, destination: pins.
    levels: of logic, None where the report does not say."""

    slack: float
    source: str
    destination: str
    levels: int | None

    def __str__(self) -> str:
        levels = "" if self.levels is None else f", {self.levels} levels of logic"
        return f"from {self.source} to {self.destination}{levels}"


@dataclass(frozen=True)
class Timing:
    """Worst slacks in ns: None where there is no path of that kind. setup_path, hold_path: the paths with them."""

    setup: float | None
    hold: float | None
    pulse_width: float | None
    failing_endpoints: int
    setup_path: Path | None = None
    hold_path: Path | None = None

    @property
    def met(self) -> bool:
        return all(slack is None or slack >= 0 for slack in (self.setup, self.hold, self.pulse_width))

    @property
    def problem(self) -> str | None:
        """Which slack is negative, by how much and on which path; None where timing is met."""
        checks = (("setup", self.setup, self.setup_path), ("hold", self.hold, self.hold_path))
        bad = [(name, slack, path) for name, slack, path in checks if slack is not None and slack < 0]
        if bad:
            name, slack, path = bad[0]
            return f"{name} slack {slack:g} ns{f' {path}' if path else ''}"
        return None if self.met else f"pulse width slack {self.pulse_width:g} ns"

    def fmax(self, clock_mhz: float) -> float | None:
        """The highest clock by the worst setup path of a design that was made for clock_mhz; both in MHz."""
        return None if self.setup is None else 1000 / (1000 / clock_mhz - self.setup)


def utilization(text: str) -> Utilization:
    """Of a whole design, from report_utilization."""
    rows: dict[str, tuple[float, float]] = {}
    for titles, cells in _tables(text):
        if "Used" not in titles or "Available" not in titles:
            continue
        used, available = cells[titles.index("Used")], cells[titles.index("Available")]
        if used and available:  # the rows of parts of a resource have no number of their own
            rows.setdefault(cells[0].rstrip("*"), (_number(used), _number(available)))
    found = {name: next((rows[site] for site in sites if site in rows), None) for name, sites in _SITES.items()}
    missing = [name for name in ("lut", "ff", "dsp", "bram36") if found[name] is None]
    if missing:
        raise ToolError(f"Vivado's utilization report has no row for {', '.join(missing)}")
    used, available = ({name: pair[side] if pair else 0.0 for name, pair in found.items()} for side in (0, 1))
    return Utilization(Resources(**used), Resources(**available))


@dataclass(frozen=True)
class Instance:
    """A row of the hierarchy: path holds the instances from the top down to it."""

    path: tuple[str, ...]
    module: str
    used: Resources


def hierarchy(text: str) -> tuple[Instance, ...]:
    """Of each instance with all below it, from report_utilization -hierarchical."""
    found, stack = [], []
    for line_titles, cells in _tables(text, strip=False):
        titles = [title.strip() for title in line_titles]
        if "Total LUTs" not in titles or len(cells) != len(titles):
            continue
        name = cells[0].strip()
        if name.startswith("("):  # what of an instance lies in none below it
            continue
        depth = (len(cells[0]) - len(cells[0].lstrip()) - 1) // 2
        stack = [*stack[:depth], name]
        row = dict(zip(titles, (cell.strip() for cell in cells)))
        dsp = next((row[column] for column in _DSP_COLUMNS if column in row), "0")
        used = Resources(
            _number(row["Total LUTs"]), _number(row["FFs"]), _number(dsp),
            _number(row["RAMB36"]) + _number(row["RAMB18"]) / 2, _number(row.get("URAM", "0")),
        )  # fmt: skip
        found.append(Instance(tuple(stack), row["Module"], used))
    if not found:
        raise ToolError("Vivado's report of the hierarchy has no instances")
    return tuple(found)


def timing(text: str) -> Timing:
    """From report_timing_summary -delay_type min_max: the summary and, where it lists paths, the worst of each kind."""
    match = _SUMMARY.search(text)
    numbers = match["numbers"].split() if match else []
    if len(numbers) < 12:
        raise ToolError("Vivado's timing report has no Design Timing Summary")
    setup, failing_setup, hold, failing_hold, pulse = (numbers[index] for index in (0, 2, 4, 6, 8))
    paths = list(_paths(text))
    return Timing(
        _slack(setup), _slack(hold), _slack(pulse), _count(failing_setup) + _count(failing_hold),
        _worst(paths, "Setup"), _worst(paths, "Hold"),
    )  # fmt: skip


def power(text: str) -> float:
    """Watts on the chip, from report_power: estimated, with Vivado's own assumptions of activity."""
    match = re.search(r"\| Total On-Chip Power \(W\)\s*\|\s*([\d.]+)", text)
    if match is None:
        raise ToolError("Vivado's power report has no total")
    return float(match[1])


def _paths(text: str) -> Iterator[tuple[str, Path]]:
    matches = list(_PATH.finditer(text))
    for match, following in zip(matches, [*matches[1:], None]):
        rest = text[match.end() : following.start() if following else len(text)]
        levels = _LEVELS.search(rest)
        yield (
            match["type"],
            Path(float(match["slack"]), match["source"], match["destination"], int(levels[1]) if levels else None),
        )


def _worst(paths: list[tuple[str, Path]], kind: str) -> Path | None:
    return min((path for of, path in paths if of == kind), key=lambda path: path.slack, default=None)


def _slack(text: str) -> float | None:
    return None if text in ("NA", "inf") else float(text)


def _count(text: str) -> int:
    return 0 if text == "NA" else int(text)


def _number(text: str) -> float:
    return float(text.replace(",", "") or 0)


def _tables(text: str, strip: bool = True) -> Iterator[tuple[list[str], list[str]]]:
    """(titles, cells) of every row of every table of `text`; a table's first row of cells is its titles."""
    titles: list[str] | None = None
    ruled = False  # the rule below the titles has been seen
    for line in text.splitlines():
        if re.fullmatch(r"\s*\+[-+]+\+\s*", line):
            titles, ruled = (None, False) if ruled else (titles, titles is not None)
        elif not line.lstrip().startswith("|"):
            titles, ruled = None, False
        else:
            cells = line.strip().removeprefix("|").removesuffix("|").split("|")
            cells = [cell.strip() for cell in cells] if strip else cells
            if titles is None:
                titles = cells
            else:
                yield titles, cells
