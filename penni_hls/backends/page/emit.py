"""Manifest, schedule and results -> report.html, which needs nothing else: no network, no other file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...files import TEMPLATES
from ...schedule import Schedule
from ...target.resources import Resources
from ..shell import Shell
from ..templates import identifier, render
from . import charts
from .drawing import draw
from .images import picture

PREDICTED = "predicted"
LEAST_PICTURE = 256  # coefficients that are worth one
FOLDER = TEMPLATES / "report"
Found = Mapping[str, Mapping[str, Any]]  # results by name: see project.results


@dataclass(frozen=True)
class Figure:
    """A figure of the head: how it was obtained stands below it."""

    label: str
    value: str
    source: str
    state: str = ""


@dataclass(frozen=True)
class Row:
    """An operator of the table. cells: as text."""

    anchor: str
    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """The coefficients of the operators `names`, rows x columns."""

    names: str
    rows: int
    columns: int
    nonzero: str
    data: str


@dataclass(frozen=True)
class Fact:
    name: str
    text: str


def emit_report(manifest: Mapping[str, Any], schedule: Schedule, results: Found) -> str:
    """The page of a project. manifest: its model.json. results: what was found since it was generated."""
    simulated = results.get("simulate-rtl", {})
    synthesized = dict(_synthesized(schedule, results))
    estimate = {PREDICTED: schedule.resources}
    totals = {source: sum(costs.values(), Resources()) for source, costs in (estimate | synthesized).items()}
    limits = {node.name: schedule.slowest_part(node.name) for node in schedule.instances}
    specs = {
        "load": charts.load(schedule, limits),
        "first-image": charts.first_image(schedule),
        "budget": charts.budget(schedule, totals),
        "resources": charts.resources(schedule, estimate | synthesized),
        "fifos": charts.fifos(schedule, simulated.get("fifos") or {}),
    }
    if windows := simulated.get("windows"):
        specs["over-time"] = charts.over_time(windows)
        specs["states"] = charts.states(simulated["profile"]["operators"], simulated["profile"]["cycles"])
    headings = charts.shown(schedule)
    return render(
        "report/report.html.j2",
        name=manifest["name"], network=manifest["source"]["network"], board=schedule.board, fits=schedule.fits,
        shortfalls=tuple(map(str, schedule.shortfalls)),
        figures=(*_figures(schedule, results), *_built(manifest)), drawing=draw(schedule), anchors=_anchors(schedule),
        columns=("output", "bits", "non-zeros", "hardware", "cycles", "load", "limited by", *headings.values()),
        rows=tuple(_rows(schedule, limits)), total=_total(schedule), synthesized=_compared(schedule, synthesized),
        profiled="over-time" in specs, copies=schedule.copies, pictures=tuple(_pictures(schedule)),
        around=_around(manifest["options"], schedule),
        accuracy=tuple(_accuracy(manifest, results)), facts=tuple(_facts(manifest, schedule)), notes=manifest["notes"],
        specs=_script(specs), style=_file("page.css"), script=_file("page.js"), vega=_file("vega/vega.min.js"),
        vega_lite=_file("vega/vega-lite.min.js"),
    )  # fmt: skip


def _file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _script(specs: Mapping[str, charts.Spec]) -> str:
    """JSON that cannot end the script element that it stands in."""
    return json.dumps(specs, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _anchors(schedule: Schedule) -> dict[str, str]:
    return {node.name: f"op-{identifier(node.name)}" for node in schedule.instances}


def _figures(schedule: Schedule, results: Found) -> Iterator[Figure]:
    rate, clock = schedule.images_per_second, f"{schedule.board.clock_mhz:g} MHz"
    yield Figure("images per second", f"{rate:,.0f}", f"predicted, at {clock}")
    simulated = results.get("simulate-rtl", {})
    cycles = simulated.get("cycles_per_image") if simulated.get("settled") else None
    known = (cycles, "simulated") if cycles else (schedule.cycles_per_image, PREDICTED)
    yield Figure("cycles per image", f"{known[0]:,}", known[1])
    latency = simulated.get("latency_cycles")
    known = (latency, "simulated") if latency else (schedule.prediction.latency, PREDICTED)
    yield Figure("latency", f"{known[0] / schedule.board.clock_mhz:,.0f} µs", f"{known[0]:,} cycles, {known[1]}")
    for name, heading in charts.shown(schedule).items():
        have, used = schedule.board.device.as_dict()[name], schedule.total.as_dict()[name]
        short = any(lack.resource == name for lack in schedule.shortfalls)
        yield Figure(
            heading, f"{100 * used / have:.0f} %", f"{_count(name, used)} of {have:,}, {PREDICTED}", "bad" * short
        )
    for engine, what in (("csim", "C++"), ("rtl", "RTL"), ("system", "driver on RTL"), ("hls", "HLS netlist")):
        if ran := results.get(f"simulate-{engine}"):
            images = f"{ran['images']} image{'s'[: ran['images'] != 1]}, simulated"
            yield Figure(f"{what} = reference", *(("yes", images) if ran["bit_exact"] else ("NO", images, "bad")))
    if evaluated := results.get("evaluate"):
        yield Figure(
            "top-1, integer", f"{evaluated['top1_integer']:.2f} %", f"measured on {evaluated['images']:,} images"
        )


def _built(manifest: Mapping[str, Any]) -> Iterator[Figure]:
    """What `penni-hls build` read of Vivado's reports."""
    built = manifest.get("results", {}).get("vivado")
    if not built:
        return
    clock, most = f"{built['clock_mhz']:g} MHz", built.get("fmax_mhz")
    if built.get("met") is not None:
        limit = "" if most is None else f", {most:,.0f} MHz at most"
        verdict = "met, placed and routed by Vivado" if built["met"] else "NOT met, placed and routed by Vivado"
        yield Figure("clock", clock, f"{verdict}{limit}", "" if built["met"] else "bad")
    if built.get("power") is not None:
        yield Figure("power", f"{built['power']:.2f} W", f"estimated by Vivado at {clock}")
    if built.get("problem"):
        yield Figure("bitstream", "none", built["problem"], "bad")


def _rows(schedule: Schedule, limits: Mapping[str, str]) -> Iterator[Row]:
    for node in schedule.instances:
        op, name, weights = node.op, node.name, node.op.weights
        choices = ", ".join(f"{choice} {value}" for choice, value in schedule.foldings[name].choices().items())
        yield Row(
            f"op-{identifier(name)}", name,
            (
                f"{'×'.join(map(str, op.out_spec.shape))} {op.out_spec.qtype}",
                "" if op.weight_bits is None else str(op.weight_bits),
                "" if weights is None else f"{np.count_nonzero(weights):,} of {weights.size:,}",
                f"{op.kind}: {choices}", f"{schedule.cycles[name]:,}",
                f"{100 * schedule.cycles[name] / schedule.cycles_per_image:.1f} %", limits[name],
                *_counts(schedule, schedule.resources[name]),
            ),
        )  # fmt: skip


def _total(schedule: Schedule) -> tuple[str, ...]:
    weights = [node.op.weights for node in schedule.instances if node.op.weights is not None]
    nonzero, size = sum(map(np.count_nonzero, weights)), sum(array.size for array in weights)
    return (
        "", "", f"{nonzero:,} of {size:,}", "", f"{schedule.cycles_per_image:,}", "", schedule.slowest,
        *_counts(schedule, schedule.total),
    )  # fmt: skip


def _around(options: Mapping[str, Any], schedule: Schedule) -> str:
    """What the shell takes beside the network."""
    shell = Shell(options.get("stream_bits", Shell.input_bits), bool(options.get("counters")))
    cost = shell.cost(len(schedule.instances))
    return f"{cost.lut:,.0f} LUT and {cost.ff:,.0f} FF"


def _counts(schedule: Schedule, cost: Resources) -> tuple[str, ...]:
    found = cost.as_dict()
    return tuple(_count(name, found[name]) for name in charts.shown(schedule))


def _count(resource: str, found: float) -> str:
    """Block RAMs with halves, all else whole."""
    return f"{found:,.1f}" if resource == "bram36" else f"{found:,.0f}"


def _synthesized(schedule: Schedule, results: Found) -> Iterator[tuple[str, dict[str, Resources]]]:
    """What each synthesis tool found, by operator."""
    names = {node.name for node in schedule.instances}
    for name, found in results.items():
        if name.startswith("synth-") and names >= found.get("operators", {}).keys():
            costs = {operator: Resources(**cost) for operator, cost in found["operators"].items()}
            yield f"synthesized by {found['tool']}", costs


def _compared(schedule: Schedule, synthesized: Mapping[str, Mapping[str, Resources]]) -> tuple[Row, ...]:
    """A row per resource: the estimate, then what each tool found, and by how much it differs."""
    rows = []
    estimate = schedule.total.as_dict()
    for name, heading in charts.shown(schedule).items() if synthesized else ():
        cells = [_count(name, estimate[name])]
        for costs in synthesized.values():
            found = sum(costs.values(), Resources()).as_dict()[name]
            off = f" ({100 * (estimate[name] / found - 1):+.1f} %)" if found else ""
            cells.append(f"{_count(name, found)}{off}")
        rows.append(Row("", heading, tuple(cells)))
    return (Row("", "", (PREDICTED, *synthesized)), *rows) if rows else ()


def _pictures(schedule: Schedule) -> Iterator[Picture]:
    """Of each matrix of coefficients, once where several copies of the network share it."""
    owners: dict[int, list[str]] = {}
    found = {}
    for node in schedule.instances:
        if node.op.weights is not None and node.op.weights.size >= LEAST_PICTURE:
            owners.setdefault(id(node.op), []).append(node.name)
            found[id(node.op)] = node.op.weights
    for key, weights in found.items():
        count = np.count_nonzero(weights)
        share = f"{count:,} of {weights.size:,} are not zero ({100 * count / weights.size:.1f} %)"
        yield Picture(", ".join(owners[key]), *weights.shape, share, picture(weights))


def _accuracy(manifest: Mapping[str, Any], results: Found) -> Iterator[Fact]:
    if found := results.get("evaluate"):
        yield Fact("Images", f"{found['images']:,}")
        yield Fact("Top-1 of the integer network, which the hardware computes", f"{found['top1_integer']:.2f} %")
        yield Fact("Top-1 of the floating-point network", f"{found['top1_float']:.2f} %")
    if chosen := manifest["options"].get("bits_chosen"):
        yield Fact(
            "Agreement with the floating-point network when bits were chosen",
            f"{chosen['agreement']:.2f} % of {chosen['images']:,} images ({chosen['source']}); with 8 bits everywhere "
            f"{chosen['agreement_8_bits']:.2f} %",
        )


def _facts(manifest: Mapping[str, Any], schedule: Schedule) -> Iterator[Fact]:
    source, options = manifest["source"], manifest["options"]
    yield Fact("Checkpoint", f"{source['checkpoint']}, {source['form']}, sha256 {source['sha256']}")
    yield Fact("Board", f"{schedule.board.title}, {schedule.board.part}, {schedule.board.clock_mhz:g} MHz")
    yield Fact("Mean and deviation of the pixels", f"{options['mean']}, {options['std']}")
    if options.get("bits"):
        yield Fact("Bits of bases and coefficients", options["bits"].replace(",", ", "))
    yield Fact(
        "Lower bounds",
        f"{schedule.mac_bound:,.0f} cycles with all {schedule.multipliers} multipliers always busy; "
        f"{schedule.stream_bound:,} for the widest map at one value per cycle",
    )
    yield Fact("Made by", ", ".join(f"{tool} {version}" for tool, version in manifest["made_by"].items()))
