"""The C++ of a project under g++. A wrong logit is traced to its operator by what crossed the streams of its image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...ir import interpreter
from ...ir.fixed import IntTensor
from ...ir.graph import Graph
from ...ir.ops.base import Operator
from ...locks import free_folder
from ...project import Project
from ..engine import Engine, Option
from ..result import Mismatch, Simulation, Stage, compare, compare_logits, layer_inputs, node_of, silent
from . import gxx
from .emit import Edge


def csim(
    project: Project,
    images: np.ndarray,
    layer: str | None = None,
    *,
    bounded: bool = False,
    exact: bool = False,
    stage: Stage = silent,
) -> Simulation:
    """Of the first image, or with `bounded` of all: every function a coroutine, every stream as deep as it is declared,
    so that a deadlock shows. exact: every variable as wide as in hardware (ap_int), about ten times slower; else machine
    integers that hold it."""
    project.check_whole("hls")
    work = project.work / "csim"
    try:
        if layer is not None:
            return _layer(project, images, layer, work, bounded, exact, stage)
        return _network(project, images, work, bounded, exact, stage)
    except gxx.Stuck as error:
        return Simulation("csim", len(images), False, problem=str(error), layer=layer)


def _network(project: Project, images: np.ndarray, work: Path, bounded: bool, exact: bool, stage: Stage) -> Simulation:
    hls = project.path / "hls"
    stage("compiling")
    gxx.build(hls, work, exact=exact, stage=stage)
    stage("simulating")
    logits, done = gxx.csim(project.schedule, hls, work, images, bounded=bounded, exact=exact)
    stage("comparing")
    first = compare_logits(project, images, logits)
    if first is not None:
        stage("looking for the first operator that differs")
        first = _locate(project, images[first.image : first.image + 1], first, work, bounded, exact)
    return Simulation("csim", len(images), first is None, first, images_per_second=round(done.images_per_second, 2))


def _locate(project: Project, image: np.ndarray, logit: Mismatch, work: Path, bounded: bool, exact: bool) -> Mismatch:
    """The first operator in graph order whose stream differs; `logit` itself where none does. image: (1, H, W, C)."""
    expected = interpreter.run(project.graph, image)
    order = {node.name: index for index, node in enumerate(project.graph)}
    _, done = gxx.csim(project.schedule, project.path / "hls", work, image, bounded=bounded, exact=exact, trace=True)
    traced = sorted(gxx.tensors(project.schedule, done), key=lambda item: order[item[0].src])
    due = {edge.name: _due(project.graph, expected, edge) for edge, _ in traced}
    found = (compare(edge.src, due[edge.name], values[: len(due[edge.name])]) for edge, values in traced)
    first = next((mismatch for mismatch in found if mismatch), None)
    return first.of_image(logit.image) if first else logit


def _due(graph: Graph[Operator], expected: Mapping[str, IntTensor], edge: Edge) -> np.ndarray:
    """What is to cross a stream."""
    number = graph.reader(edge.dst, edge.port) if edge.dst in graph.by_name else 0
    return graph.by_name[edge.src].op.given(expected[edge.src], number).values


def _layer(
    project: Project, images: np.ndarray, layer: str, work: Path, bounded: bool, exact: bool, stage: Stage
) -> Simulation:
    node = node_of(project, layer)
    stage("running the reference")
    inputs = layer_inputs(project, node, images)
    expected = node.op.reference(*inputs)
    stage("compiling and simulating")
    alone = gxx.Alone(node.op, project.schedule.foldings[layer], inputs)
    with free_folder(work / "layer") as own:
        ran = gxx.csim_operators({layer: alone}, own, project=project.path, bounded=bounded, exact=exact)
    outputs = ran[layer]
    found = (compare(layer, node.op.given(expected, i).values, output) for i, output in enumerate(outputs))
    first = next((mismatch for mismatch in found if mismatch), None)
    return Simulation("csim", len(images), first is None, first, layer=layer)


CSIM = Engine(
    "csim", "the C++ under g++", 10, csim,
    (
        Option("bounded", "streams as deep as declared in all images, not only the first."),
        Option("exact", "every variable as wide as in hardware; ten times slower."),
    ),
)  # fmt: skip
