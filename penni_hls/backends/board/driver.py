"""Design -> driver/: the accelerator from Python on a PYNQ board."""

from __future__ import annotations

from ..design import Design
from ..templates import render


def emit_driver(design: Design) -> dict[str, str]:
    graph = design.schedule.graph
    height, width, channels = graph.input.op.out_spec.shape
    classes = graph.output.op.out_spec.shape[2]
    view = {"name": design.name, "height": height, "width": width, "channels": channels, "classes": classes}
    return {"driver/penni.py": render("driver/penni.py.j2", **view, logit_scale=repr(design.logit_scale))}
