"""The Python reference alone."""

from __future__ import annotations

import math

import numpy as np

from ..errors import ProjectError
from ..ir import interpreter
from ..project import Project
from .engine import Engine
from .result import Simulation, Stage, compare, layer_inputs, node_of, silent
from .top import INPUT, LOGIT, OUTPUT
from .words import unpack, word_bytes


def reference(project: Project, images: np.ndarray, layer: str | None = None, *, stage: Stage = silent) -> Simulation:
    """Run the reference. It must reproduce the vectors that were written when the project was generated."""
    stage("running the reference")
    if layer is not None:
        node = node_of(project, layer)
        node.op.reference(*layer_inputs(project, node, images))
        return Simulation("reference", len(images), True, layer=layer)
    interpreter.run(project.graph, images, keep=())
    pixels, due = _vectors(project)
    name = project.graph.output.name
    first = compare(name, due, interpreter.output(project.graph, pixels).values)
    return Simulation("reference", len(images), first is None, first)


def _vectors(project: Project) -> tuple[np.ndarray, np.ndarray]:
    """The images of hls/vectors (N, H, W, C), and the logits (N, 1, 1, classes) that go with them."""
    folder, graph = project.path / "hls" / "vectors", project.graph
    try:
        pixels, due = ((folder / name).read_bytes() for name in (f"{INPUT}.bin", f"{OUTPUT}.expect.bin"))
    except OSError as error:
        raise ProjectError(f"{error.filename}: {error.strerror}; generate the project anew") from None
    spec, out = graph.input.op.out_spec, graph.output.op.out_spec
    frame, results = math.prod(spec.shape), math.prod(out.shape) * word_bytes(LOGIT.bits)
    if not pixels or len(pixels) % frame or len(due) != len(pixels) // frame * results:
        raise ProjectError(
            f"{folder}: the vectors are damaged, {len(pixels)} and {len(due)} bytes; generate the project anew"
        )
    logits = unpack(due, 1, LOGIT).reshape(-1, *out.shape)
    return np.frombuffer(pixels, spec.qtype.dtype).reshape(-1, *spec.shape), logits


REFERENCE = Engine("reference", "Python", 10, reference)
