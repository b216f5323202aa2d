"""lower: the fused float graph -> the integer graph, node by node along the calibration batch.

The inputs of a node are quantized by their edges, so every choice (basis scales, shifts, coefficients, biases) is made
on the integers that the hardware will see. Edges do not depend on the widths of weights, so layers are independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..ir.fixed import QType
from ..ir.graph import Graph, Node, TensorSpec
from ..ir.interpreter import Step
from ..ir.layers import AvgPool, Clip, Concat, GlobalAvgPool, Input, MaxPool, PadShortcut, Scale, Upsample
from ..ir.ops import AvgPool as IntAvgPool
from ..ir.ops import Clip as IntClip
from ..ir.ops import Concat as IntConcat
from ..ir.ops import GlobalPool, Subsample
from ..ir.ops import Input as IntInput
from ..ir.ops import MaxPool as IntMaxPool
from ..ir.ops import Upsample as IntUpsample
from ..ir.ops.base import Operator
from ..passes.fused import Fused
from ..passes.wide_results import wide_results
from .activation_range import activation_scale, steady
from .calibrate import Calibration, observe
from .depthwise import Depthwise, depthwise_of, is_depthwise
from .edge import Edge
from .front import Front, always, fronts_of, has_bases
from .layer import WeightLayer
from .requantizer import affine

PIXEL = QType(8, signed=False)
RECTIFIED = QType(8, signed=False)
SIGNED = QType(8, signed=True)
LOGIT = QType(16, signed=True)
RECTIFIED_LOGIT = QType(15, signed=False)
LOGIT_HEADROOM = 2.0  # how far logits may exceed those of the calibration batch before they saturate


Part = tuple[Node, ...] | WeightLayer


@dataclass(frozen=True, eq=False)
class Lowered:
    """What replaces one float node, its operators or what makes them at given widths, and the edge at its output."""

    part: Part
    edge: Edge


def lower(
    graph: Graph, calibration: Calibration, steps: Mapping[str, float]
) -> tuple[tuple[Part, ...], float, np.ndarray]:
    """-> (what replaces each node of the fused graph, in order, without forks; the real value of one step of the result;
    the result of the float network for the batch).

    steps: by node name, of the results whose step is given; every other one gets its own.
    """
    edges: dict[str, Edge] = {}
    parts = []
    wide = wide_results(graph)
    for seen in observe(graph, calibration):
        reads = tuple(edges[name] for name in seen.node.inputs)
        with naming(seen.node.name):
            lowered = _lower_node(seen, reads, calibration.headroom, seen.node.name in wide, steps.get(seen.node.name))
        edges[seen.node.name] = lowered.edge
        parts.append(lowered.part)
    return tuple(parts), lowered.edge.step, seen.value


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Errors within name the node: an operator names its kind only."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith(name) else f"{name}: {text}") from error


def own_step(op: Fused, values: np.ndarray, headroom: float, wide: bool = False) -> float:
    """The step that suits the result of `op` best, by its `values` on the batch.

    At most the one with which the integer type ends where the bounds of `op` lie: its saturation is the clip.
    wide: a result of the network.
    """
    if wide:
        return steady(float(np.abs(values).max()) * LOGIT_HEADROOM / LOGIT.hi or 1.0)
    qtype = RECTIFIED if op.relu else SIGNED
    step = steady(activation_scale(values, qtype) * headroom)
    if op.lo is None or op.hi is None:
        return step
    return min(step, max(op.hi / qtype.hi, op.lo / qtype.lo if qtype.lo else 0.0))


def _lower_node(seen: Step, reads: tuple[Edge, ...], headroom: float, wide: bool, step: float | None) -> Lowered:
    op, name = seen.node.op, seen.node.name
    match op:
        case Input():
            return _lower_input(name, op)
        case Fused():
            return _lower_fused(seen, reads, headroom, wide, step)
        case MaxPool():
            return _through(name, IntMaxPool(reads[0].spec, op.kernel, op.stride, op.pad), reads[0])
        case AvgPool():
            pool = IntAvgPool(reads[0].spec, op.kernel, op.stride, op.pad)
            return _through(name, pool, reads[0], divide=op.window.taps)
        case GlobalAvgPool():
            return _through(name, GlobalPool(reads[0].spec), reads[0], divide=reads[0].spec.pixels)
        case PadShortcut():
            return _through(
                name, Subsample(reads[0].spec, op.stride, op.channels, op.offset), reads[0], before=op.offset
            )
        case Upsample():
            return _through(name, IntUpsample(reads[0].spec, op.factor), reads[0])
        case Concat():
            return _lower_concat(name, reads)
        case Clip():
            return _lower_clip(name, op.lo, op.hi, reads[0])
    raise ValueError(f"{name}: there is no integer operator for {type(op).__name__}")


def _lower_input(name: str, op: Input) -> Lowered:
    spec = TensorSpec(op.spec.shape, PIXEL)
    mean, std = np.asarray(op.mean, np.float64), np.asarray(op.std, np.float64)
    edge = Edge(name, spec, 1 / (PIXEL.hi * std), PIXEL.hi * mean)
    return Lowered((Node(name, IntInput(spec)),), edge)


def _through(name: str, op: Operator, read: Edge, divide: int = 1, before: int = 0) -> Lowered:
    """An operator that keeps the meaning of its integers, up to a divisor. before: zero channels that it adds first."""
    around = (before, op.out_spec.shape[2] - before - len(read.scale))
    scale, zero = np.pad(read.scale / divide, around, mode="edge"), np.pad(read.zero * divide, around)
    return Lowered((Node(name, op, (read.name,)),), Edge(name, op.out_spec, scale, zero))


def _lower_clip(name: str, lo: float | None, hi: float | None, read: Edge) -> Lowered:
    """The nearest integers as bounds; no operator where the type of what is read has the same. A bound below 0 stays below
    it, however large the steps are: else the type would depend on them, and maps that are concatenated have one."""
    bounds = zip((lo, hi), (read.spec.qtype.lo, read.spec.qtype.hi))
    ends = [end if bound is None else int(read.quantize(np.full(len(read.scale), bound))[0]) for bound, end in bounds]
    if lo is not None and lo < 0 and not read.zero.any():
        ends[0] = min(ends[0], max(-1, read.spec.qtype.lo))
    if ends == [read.spec.qtype.lo, read.spec.qtype.hi]:
        return Lowered((), read)
    if ends[0] == ends[1]:
        raise ValueError(f"{name}: of the integers that it reads, its bounds leave one; widen them, or leave it out")
    return _through(name, IntClip(read.spec, *ends), read)


def _lower_concat(name: str, reads: tuple[Edge, ...]) -> Lowered:
    first, second = reads
    if first.spec.qtype != second.spec.qtype or first.zero.any() or second.zero.any():
        raise ValueError(f"{name}: the maps that it concatenates do not have one type, and 0 for zero")
    op = IntConcat(first.spec, second.spec)
    scale, zero = (np.concatenate(parts) for parts in ((first.scale, second.scale), (first.zero, second.zero)))
    return Lowered((Node(name, op, (first.name, second.name)),), Edge(name, op.out_spec, scale, zero))


def _lower_fused(seen: Step, reads: tuple[Edge, ...], headroom: float, wide: bool, step: float | None) -> Lowered:
    op, name, x = seen.node.op, seen.node.name, seen.inputs[0]
    out_type = (RECTIFIED_LOGIT if op.relu else LOGIT) if wide else RECTIFIED if op.relu else SIGNED
    if step is None:
        step = own_step(op, seen.value, headroom, wide)
    skip, layer = reads[1] if op.skip else None, op.linear
    part = "affine" if isinstance(layer, Scale) else Depthwise.part if is_depthwise(op) else Front.part
    channels = op.out_spec.shape[2]
    edge = Edge(f"{name}.{part}", TensorSpec(op.out_spec.shape, out_type), np.full(channels, step), np.zeros(channels))
    clipped = _lower_clip(f"{name}.clip", op.lo, op.hi, edge)  # where saturation is not what the bounds ask for
    if isinstance(layer, Scale):
        read = (reads[0].name,) if skip is None else (reads[0].name, skip.name)
        node = Node(edge.name, affine(name, layer, reads[0], x, skip, out_type, step), read)
        return Lowered((node, *_nodes(clipped)), clipped.edge)
    if is_depthwise(op):
        fronts, taps = always(depthwise_of(layer, reads[0], x)), 0
    else:
        fronts, taps = fronts_of(name, layer, reads[0], x, headroom), layer.basis.size if has_bases(layer) else 0
    weights = sum(one.nonzero for one in layer.count.layers)
    skip_step = 0.0 if skip is None else skip.step
    made = WeightLayer(name, fronts, layer.bias, out_type, step, skip, skip_step, _nodes(clipped), weights, taps)
    return Lowered(made, clipped.edge)


def _nodes(lowered: Lowered) -> tuple[Node, ...]:
    assert isinstance(lowered.part, tuple)
    return lowered.part
