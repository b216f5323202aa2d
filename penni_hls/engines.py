"""A generated project under one of its engines, compared with the Python reference to the last bit.

On a mismatch the first operator that differs is found by what crossed the streams of the first image that came out wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from . import golden
from .errors import ProjectError, UsageError
from .fixed import IntTensor, QType
from .graph import Node
from .project import Project
from .tools import gxx
from .tools.words import unpack

ENGINES = ("reference", "csim", "rtl", "hls")
LOGIT = QType(32, True)

Stage = Callable[[str], None]


@dataclass(frozen=True)
class Mismatch:
    """The first value that differs: in graph order, then by image, row, column, channel (and basis, where there are some)."""

    operator: str
    image: int
    row: int
    column: int
    channel: int
    basis: int | None
    expected: int
    got: int

    def __str__(self) -> str:
        basis = "" if self.basis is None else f", basis {self.basis}"
        where = f"image {self.image}, row {self.row}, column {self.column}, channel {self.channel}{basis}"
        return f"{self.operator}: {where}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True)
class Simulation:
    """How a simulation went. layer: the operator that was simulated alone, or None. Cycles are None where there is no clock.
    deadlock: what stopped it for good, or None. files: what it left for the user to look at, such as waves."""

    engine: str
    images: int
    bit_exact: bool
    first_mismatch: Mismatch | None = None
    cycles_per_image: int | None = None
    latency_cycles: int | None = None
    images_per_second: float | None = None
    layer: str | None = None
    deadlock: str | None = None
    files: tuple[str, ...] = ()

    def as_dict(self) -> dict:
        return asdict(self) | {"files": list(self.files)}


def compare(name: str, expected: np.ndarray, got: np.ndarray) -> Mismatch | None:
    """expected, got: (N, H, W, C) or (N, H, W, C, d) -> the first value that differs, or None."""
    if got.shape != expected.shape:
        raise ProjectError(f"{name} gave {got.shape} values where {expected.shape} are due; generate the project anew")
    different = np.argwhere(expected != got)
    if not len(different):
        return None
    at = tuple(map(int, different[0]))
    basis = at[4] if len(at) == 5 else None
    return Mismatch(name, *at[:4], basis, int(expected[at]), int(got[at]))


def node_of(project: Project, layer: str) -> Node:
    """The operator named `layer`; UsageError, with the names there are, where there is none."""
    names = [node.name for node in project.schedule.instances]
    if layer not in names:
        near = [name for name in names if layer in name][:4] or names[:4]
        raise UsageError(
            f"no operator is called '{layer}'; there are {', '.join(near)} ... ('generate' lists them, model.json too)"
        )
    return project.graph.by_name[layer]


def layer_inputs(project: Project, node: Node, images: np.ndarray) -> tuple[IntTensor, ...]:
    """What `node` reads for `images`, by the reference."""
    kept = golden.run(project.graph, images, keep=set(node.inputs))
    return tuple(kept[name] for name in node.inputs)


def reference(
    project: Project, images: np.ndarray, layer: str | None = None, stage: Stage = lambda name: None
) -> Simulation:
    """The reference alone. It must reproduce the vectors that were written when the project was generated."""
    stage("running the reference")
    if layer is not None:
        node = node_of(project, layer)
        node.op.reference(*layer_inputs(project, node, images))
        return Simulation("reference", len(images), True, layer=layer)
    golden.run(project.graph, images, keep=())
    pixels, due = _vectors(project)
    name = project.graph.output.name
    first = compare(name, due, golden.run(project.graph, pixels, keep=())[name].values)
    return Simulation("reference", len(images), first is None, first)


def _vectors(project: Project) -> tuple[np.ndarray, np.ndarray]:
    """The images of hls/vectors (N, H, W, C), and the logits (N, 1, 1, classes) that go with them."""
    folder, graph = project.path / "hls" / "vectors", project.graph
    try:
        pixels, due = ((folder / name).read_bytes() for name in ("s_axis.bin", "m_axis.expect.bin"))
    except OSError as error:
        raise ProjectError(f"{error.filename}: {error.strerror}; generate the project anew") from None
    spec = graph.input.op.out_spec
    logits = unpack(due, 1, LOGIT).reshape(-1, *graph.output.op.out_spec.shape)
    return np.frombuffer(pixels, spec.qtype.dtype).reshape(-1, *spec.shape), logits


def csim(
    project: Project,
    images: np.ndarray,
    layer: str | None = None,
    *,
    bounded: bool = False,
    stage: Stage = lambda name: None,
) -> Simulation:
    """The C++ of hls/, compiled by g++. bounded: every function a coroutine, every stream as deep as it is declared."""
    work = project.work / "csim"
    try:
        if layer is not None:
            return _csim_layer(project, images, layer, work, bounded, stage)
        stage("compiling")
        gxx.build(project.path / "hls", work, bounded=bounded)
        stage("simulating")
        logits, done = gxx.csim(project.schedule, project.path / "hls", work, images, bounded=bounded)
        stage("comparing")
        first = _first_wrong(project, images, logits)
        if first is not None:
            first = _locate(project, images, first, lambda one: _csim_tensors(project, work, one, bounded))
    except gxx.Deadlock as error:
        return Simulation("csim", len(images), False, layer=layer, deadlock=str(error))
    return Simulation("csim", len(images), first is None, first, images_per_second=round(done.images_per_second, 2))


def _csim_layer(
    project: Project, images: np.ndarray, layer: str, work: Path, bounded: bool, stage: Stage
) -> Simulation:
    node = node_of(project, layer)
    stage("running the reference")
    inputs = layer_inputs(project, node, images)
    expected = node.op.reference(*inputs).values
    stage("compiling and simulating")
    alone = gxx.Alone(node.op, project.schedule.foldings[layer], inputs)
    outputs = gxx.csim_operators({layer: alone}, work / "layer", bounded=bounded)[layer]
    found = [compare(layer, expected, output) for output in outputs]
    first = next((mismatch for mismatch in found if mismatch), None)
    return Simulation("csim", len(images), first is None, first, layer=layer)


def _csim_tensors(project: Project, work: Path, image: np.ndarray, bounded: bool) -> Iterable[tuple[str, np.ndarray]]:
    _, done = gxx.csim(project.schedule, project.path / "hls", work, image, bounded=bounded, trace=True)
    return ((stream.src, values) for stream, values in gxx.tensors(project.schedule, done))


def _first_wrong(project: Project, images: np.ndarray, logits: np.ndarray) -> Mismatch | None:
    """logits (N, classes) of an engine against the reference's."""
    name = project.graph.output.name
    expected = golden.run(project.graph, images, keep=())[name].values
    return compare(name, expected, logits.reshape(expected.shape))


def _locate(
    project: Project,
    images: np.ndarray,
    logit: Mismatch,
    traced: Callable[[np.ndarray], Iterable[tuple[str, np.ndarray]]],
) -> Mismatch:
    """The first operator in graph order whose values differ in the image of `logit`; `logit` where none does."""
    one = images[logit.image : logit.image + 1]
    expected = golden.run(project.graph, one)
    order = {node.name: index for index, node in enumerate(project.graph)}
    for name, values in sorted(traced(one), key=lambda item: order[item[0]]):
        found = compare(name, expected[name].values, values)
        if found:
            return Mismatch(**{**asdict(found), "image": logit.image})
    return logit


def random_images(project: Project, count: int) -> np.ndarray:
    """The same `count` images of noise every time: uint8 (count, H, W, C)."""
    return np.random.default_rng(0).integers(0, 256, (count, *project.graph.input.op.out_spec.shape), np.uint8)
