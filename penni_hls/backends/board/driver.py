"""Design -> driver/: the accelerator from Python on a PYNQ board."""

from __future__ import annotations

from ..design import Design
from ..templates import render
from ..top import result_shape


def emit_driver(design: Design) -> dict[str, str]:
    graph = design.schedule.graph
    height, width, channels = graph.input.op.out_spec.shape
    view = {"name": design.name, "height": height, "width": width, "channels": channels}
    results = list(result_shape(graph.output.op.out_spec))
    view |= {"results": results, "vector": len(results) == 1}
    return {"driver/penni.py": render("driver/penni.py.j2", **view, logit_scale=repr(design.logit_scale))}
