"""Design -> README.md of the generated project."""

from __future__ import annotations

from dataclasses import dataclass

from ...target.resources import Resources
from ..design import Design
from ..templates import render
from ..top import result_shape


@dataclass(frozen=True)
class ResourceRow:
    name: str
    needed: str
    device: str
    share: str


def emit_readme(design: Design) -> dict[str, str]:
    schedule = design.schedule
    spec, out = schedule.graph.input.op.out_spec, schedule.graph.output.op.out_spec
    text = render(
        "readme/README.md.j2",
        name=design.name,
        network=design.network,
        notes=design.notes,
        board=schedule.board,
        input=spec,
        output=_output(result_shape(out)),
        vector=out.pixels == 1,
        logit_type=out.qtype,
        cycles=f"{schedule.cycles_per_image:,}",
        slowest=schedule.slowest,
        rate=f"{schedule.images_per_second:,.0f}",
        mac_bound=f"{schedule.mac_bound:,.0f}",
        stream_bound=f"{schedule.stream_bound:,}",
        resources=_rows(schedule.total, schedule.board.device),
        shortfalls=tuple(map(str, schedule.shortfalls)),
    )
    return {"README.md": text}


def _output(shape: tuple[int, ...]) -> str:
    if len(shape) == 1:
        return f"{shape[0]} logits"
    return f"a {'x'.join(map(str, shape))} map, rows from the top, channels within a pixel, one value per beat"


def _rows(needed: Resources, device: Resources) -> tuple[ResourceRow, ...]:
    have = device.as_dict()
    return tuple(
        ResourceRow(name.upper(), f"{value:,.0f}", f"{have[name]:,.0f}", f"{100 * value / have[name]:.0f} %")
        for name, value in needed.as_dict().items()
        if have[name]
    )
