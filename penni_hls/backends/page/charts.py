"""The charts of the page, as Vega-Lite specifications. Colours are the page's own (templates/report/page.css), so that
they follow its theme."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...schedule import Schedule
from ...target.resources import Resources
from ..profile import STATES

Spec = dict[str, Any]
Rows = list[dict[str, Any]]

HEADINGS = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram36": "block RAM", "uram": "UltraRAM"}
STEP = 17  # pixels of a row
# Where there is little room, the end of a name tells more than its beginning.
SHORT = "width < 500 && length(datum.label) > 18 ? '…' + slice(datum.label, -17) : datum.label"
OPERATOR = {"field": "operator", "type": "nominal", "sort": None, "title": None, "axis": {"labelExpr": SHORT}}
STATE = {
    "field": "state", "type": "nominal", "title": None,
    "scale": {"domain": list(STATES), "range": [f"var(--{state})" for state in STATES]},
}  # fmt: skip


def _chart(rows: Rows, lines: int, step: int = STEP, **rest: Any) -> Spec:
    """As wide as its place; lines: of `step` pixels each."""
    return {"data": {"values": rows}, "width": "container", "height": max(lines, 1) * step, **rest}


def _along(field: str, title: str, **axis: Any) -> Spec:
    """The horizontal axis: above, since a chart of many operators is long."""
    return {"field": field, "type": "quantitative", "title": title, "axis": {"orient": "top", **axis}}


def _tooltip(rows: Rows) -> list[Spec]:
    """Every field of the rows."""
    return [{"field": name} for name in (rows[0] if rows else ())]


def shown(schedule: Schedule) -> dict[str, str]:
    """The resources that the device has, each with its heading."""
    return {name: HEADINGS[name] for name, have in schedule.board.device.as_dict().items() if have}


def load(schedule: Schedule, limits: Mapping[str, str]) -> Spec:
    """How many cycles per image each operator needs, and the network. limits: what sets them, by operator."""
    rows = [
        {
            "operator": node.name, "cycles": schedule.cycles[node.name],
            "load": f"{100 * schedule.cycles[node.name] / schedule.cycles_per_image:.1f} %",
            "limited by": limits[node.name],
        }
        for node in schedule.instances
    ]  # fmt: skip
    bar = {
        "mark": {"type": "bar", "fill": "var(--ink)"},
        "encoding": {
            "y": OPERATOR, "x": _along("cycles", "cycles per image"), "tooltip": _tooltip(rows),
        },
    }  # fmt: skip
    rule = {
        "data": {"values": [{"cycles": schedule.cycles_per_image}]},
        "mark": {"type": "rule", "stroke": "var(--alarm)", "strokeWidth": 2},
        "encoding": {"x": _along("cycles", "cycles per image")},
    }
    return _chart([], len(rows), layer=[{"data": {"values": rows}, **bar}, rule])


def first_image(schedule: Schedule) -> Spec:
    """When each operator works on the first image, by the model of the pipeline."""
    rows = [
        {"operator": node.name, "begins": spans[0], "ends": spans[1]}
        for node in schedule.instances
        for spans in (schedule.prediction.spans[node.name],)
    ]
    return _chart(
        rows, len(rows),
        mark={"type": "bar", "fill": "var(--ink)"},
        encoding={
            "y": OPERATOR, "x": _along("begins", "clock cycles since the first pixel"), "x2": {"field": "ends"},
            "tooltip": _tooltip(rows),
        },
    )  # fmt: skip


def over_time(windows: Mapping[str, Any]) -> Spec:
    """What each operator mostly did in each window of a simulation; of neighbours that are alike one bar is made."""
    ends = windows["ends"]
    rows: Rows = []
    for name, starved in windows["starved"].items():
        begin = 0
        for end, *waits in zip(ends, starved, windows["blocked"][name]):
            counts = dict(zip(STATES, (end - begin - sum(waits), *waits)))
            state = max(counts, key=counts.__getitem__)
            last = rows[-1] if rows else None
            if last and (last["operator"], last["state"], last["until"]) == (name, state, begin):
                last["until"] = end
            else:
                rows.append({"operator": name, "state": state, "from": begin, "until": end})
            begin = end
    return _chart(
        rows, len(windows["starved"]),
        mark={"type": "bar", "height": {"band": 0.9}},
        encoding={
            "y": OPERATOR, "x": _along("from", "clock cycles since the reset"), "x2": {"field": "until"}, "color": STATE,
            "tooltip": _tooltip(rows),
        },
    )  # fmt: skip


def states(totals: Mapping[str, Mapping[str, int]], cycles: int) -> Spec:
    """The share of time that each operator was busy, starved and blocked."""
    rows = [
        {"operator": name, "state": state, "share": counts[state] / max(cycles, 1), "order": order}
        for name, counts in totals.items()
        for order, state in enumerate(STATES)
    ]
    return _chart(
        rows, len(totals),
        mark="bar",
        encoding={
            "y": OPERATOR, "color": STATE, "order": {"field": "order"},
            "x": {**_along("share", "share of the time", format="%"), "scale": {"domain": [0, 1]}},
            "tooltip": [{"field": "operator"}, {"field": "state"}, {"field": "share", "format": ".1%"}],
        },
    )  # fmt: skip


def budget(schedule: Schedule, found: Mapping[str, Resources]) -> Spec:
    """Of each resource of the board, the share that is needed, by each source; a tick where the accelerator must stop."""
    device, may = schedule.board.device.as_dict(), schedule.board.budget.as_dict()
    rows = [
        {
            "resource": heading, "source": source, "share": cost.as_dict()[name] / device[name],
            "needed": f"{cost.as_dict()[name]:,.6g} of {device[name]:,.6g}",
        }
        for name, heading in shown(schedule).items()
        for source, cost in found.items()
    ]  # fmt: skip
    limits = [{"resource": heading, "limit": may[name] / device[name]} for name, heading in shown(schedule).items()]
    y = {"field": "resource", "type": "nominal", "sort": None, "title": None}
    x = {"type": "quantitative", "title": f"share of {schedule.board.name}", "axis": {"format": "%"}}
    bar = {
        "mark": "bar",
        "encoding": {
            "y": y, "yOffset": {"field": "source", "sort": None}, "x": {"field": "share", **x},
            "color": _sources(found), "tooltip": [{"field": name} for name in ("resource", "source", "needed")],
        },
    }  # fmt: skip
    tick = {
        "data": {"values": limits},
        "mark": {"type": "tick", "color": "var(--alarm)", "thickness": 3, "size": 36},
        "encoding": {"y": y, "x": {"field": "limit", **x}, "tooltip": [{"field": "limit", "format": ".0%"}]},
    }
    return _chart([], len(limits), 44, layer=[{"data": {"values": rows}, **bar}, tick])


def _sources(found: Iterable[str]) -> Spec:
    names = list(found)
    colours = ["var(--ink)", "var(--second)", "var(--third)"][: len(names)]
    return {"field": "source", "type": "nominal", "title": None, "scale": {"domain": names, "range": colours}}


def resources(schedule: Schedule, found: Mapping[str, Mapping[str, Resources]]) -> Spec:
    """What each operator takes of a resource, which the reader selects, by each source."""
    headings = shown(schedule)
    rows = [
        {"operator": name, "resource": heading, "source": source, "count": round(cost.as_dict()[resource], 1)}
        for source, costs in found.items()
        for name, cost in costs.items()
        for resource, heading in headings.items()
    ]
    select = {
        "name": "resource",
        "value": "LUT",
        "bind": {"input": "select", "options": [*headings.values()], "element": "#select-resource"},
    }
    return _chart(
        rows, len(schedule.instances), STEP if len(found) == 1 else 12 * len(found),
        params=[select],
        transform=[{"filter": "datum.resource == resource"}],
        mark="bar",
        encoding={
            "y": OPERATOR, "yOffset": {"field": "source", "sort": None}, "x": _along("count", "count"),
            "color": _sources(found), "tooltip": _tooltip(rows),
        },
    )  # fmt: skip


def fifos(schedule: Schedule, most: Mapping[str, Sequence[int]]) -> Spec:
    """How many words each FIFO can hold, and the most that it did in a simulation, by the names that it tells."""
    rows = [
        {"FIFO": _fifo(link.src, link.dst), "words": link.depth + 1, "bits": link.width, "memory": str(link.memory)}
        for link in schedule.links
    ]
    marks = [
        {"FIFO": _fifo(*name.split(" -> ")), "most held": held, "words": words} for name, (words, held) in most.items()
    ]
    y = {"field": "FIFO", "type": "nominal", "sort": None, "title": None}
    x, scale = _along("words", "words", values=[2, 10, 100, 1000, 10000]), {"scale": {"type": "symlog"}}
    bar = {
        "mark": {"type": "bar", "fill": "var(--pale)"},
        "encoding": {"y": y, "x": x | scale, "tooltip": _tooltip(rows)},
    }
    held = {
        "data": {"values": marks},
        "mark": {"type": "bar", "fill": "var(--ink)", "height": {"band": 0.4}},
        "encoding": {
            "y": y, "x": x | scale | {"field": "most held"},
            "tooltip": [{"field": name} for name in ("FIFO", "most held", "words")],
        },
    }  # fmt: skip
    return _chart([], len(rows), layer=[{"data": {"values": rows}, **bar}, *([held] if marks else [])])


def _fifo(src: str, dst: str) -> str:
    """Its reader first: that is what a narrow screen shows."""
    return f"{dst} ← {src}"
