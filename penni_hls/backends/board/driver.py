"""Schedule -> driver/: the accelerator from Python on a PYNQ board."""

from __future__ import annotations

from ...schedule import Schedule
from ..templates import render


def emit_driver(schedule: Schedule, name: str, logit_scale: float) -> dict[str, str]:
    height, width, channels = schedule.graph.input.op.out_spec.shape
    classes = schedule.graph.output.op.out_spec.shape[2]
    view = {"name": name, "height": height, "width": width, "channels": channels, "classes": classes}
    return {"driver/penni.py": render("driver/penni.py.j2", **view, logit_scale=repr(logit_scale))}
