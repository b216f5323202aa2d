"""lower: the fused float graph -> the integer graph, node by node along the calibration batch.

The inputs of a node are quantized by their edges, so every choice (basis scales, shifts, coefficients, biases) is made
on the integers that the hardware will see.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..ir.fixed import BIAS, MULTIPLIER, QType, Requant
from ..ir.graph import Graph, Node, TensorSpec
from ..ir.interpreter import Step
from ..ir.layers import AvgPool, Clip, Concat, GlobalAvgPool, Input, MaxPool, PadShortcut, Upsample
from ..ir.ops import AvgPool as IntAvgPool
from ..ir.ops import Clip as IntClip
from ..ir.ops import Concat as IntConcat
from ..ir.ops import GlobalPool, Subsample
from ..ir.ops import Input as IntInput
from ..ir.ops import MaxPool as IntMaxPool
from ..ir.ops import Upsample as IntUpsample
from ..ir.ops.base import Operator
from ..passes.fused import Fused
from .activation_range import activation_scale, steady
from .calibrate import Calibration, observe
from .coefficients import fit, row_scales
from .depthwise import Depthwise, depthwise_of, is_depthwise
from .edge import Edge
from .front import Front, front_of

PIXEL = QType(8, signed=False)
RECTIFIED = QType(8, signed=False)
SIGNED = QType(8, signed=True)
LOGIT = QType(16, signed=True)
LOGIT_HEADROOM = 2.0  # how far logits may exceed those of the calibration batch before they saturate
MAX_SHIFT = 47


@dataclass(frozen=True)
class Bits:
    """Widths of the weights: basis kernels and coefficients."""

    basis: int
    coefs: int


@dataclass(frozen=True, eq=False)
class Lowered:
    """The nodes that replace one float node, and the edge at their output."""

    nodes: tuple[Node, ...]
    edge: Edge


def lower(graph: Graph, calibration: Calibration, bits: Bits, steps: Mapping[str, float]) -> tuple[Graph, float]:
    """-> (the integer graph without forks, the real value of one step of its logits).

    steps: by node name, of the results whose step is given; every other one gets its own.
    """
    edges: dict[str, Edge] = {}
    nodes: list[Node] = []
    for seen in observe(graph, calibration):
        reads = tuple(edges[name] for name in seen.node.inputs)
        last, step = seen.node is graph.output, steps.get(seen.node.name)
        lowered = _lower_node(seen, reads, bits, calibration.headroom, last, step)
        nodes += lowered.nodes
        edges[seen.node.name] = lowered.edge
    return Graph(tuple(nodes)), float(edges[graph.output.name].scale[0])


def own_step(op: Fused, values: np.ndarray, headroom: float) -> float:
    """The step that suits the result of `op` best, by its `values` on the batch.

    At most the one with which the integer type ends where the bounds of `op` lie: its saturation is the clip.
    """
    qtype = RECTIFIED if op.relu else SIGNED
    step = steady(activation_scale(values, qtype) * headroom)
    if op.lo is None or op.hi is None:
        return step
    return min(step, max(op.hi / qtype.hi, op.lo / qtype.lo if qtype.lo else 0.0))


def _lower_node(
    seen: Step, reads: tuple[Edge, ...], bits: Bits, headroom: float, last: bool, step: float | None
) -> Lowered:
    op, name = seen.node.op, seen.node.name
    match op:
        case Input():
            return _lower_input(name, op)
        case Fused():
            return _lower_fused(seen, reads, bits, headroom, last, step)
        case MaxPool():
            return _through(name, IntMaxPool(reads[0].spec, op.kernel, op.stride, op.pad), reads[0])
        case AvgPool():
            return _lower_avg_pool(name, op, reads[0])
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


def _lower_avg_pool(name: str, op: AvgPool, read: Edge) -> Lowered:
    if op.pad and read.zero.any():
        raise ValueError(f"{name}: average pooling of the images themselves with padding is not supported")
    return _through(name, IntAvgPool(read.spec, op.kernel, op.stride, op.pad), read, divide=op.kernel**2)


def _lower_clip(name: str, lo: float | None, hi: float | None, read: Edge) -> Lowered:
    """The nearest integers as bounds; no operator where the type of what is read has the same."""
    ends = []
    for bound, end in ((lo, read.spec.qtype.lo), (hi, read.spec.qtype.hi)):
        integers = {end} if bound is None else set(read.quantize(np.full(len(read.scale), bound)).tolist())
        if len(integers) > 1:
            raise ValueError(f"{name}: clipping of images whose channels are normalised differently is not supported")
        ends += integers
    if ends == [read.spec.qtype.lo, read.spec.qtype.hi]:
        return Lowered((), read)
    if ends[0] == ends[1]:
        raise ValueError(f"{name}: of the integers that it reads, its bounds leave one")
    return _through(name, IntClip(read.spec, *ends), read)


def _lower_concat(name: str, reads: tuple[Edge, ...]) -> Lowered:
    first, second = reads
    if first.spec.qtype != second.spec.qtype or len({*first.scale, *second.scale}) > 1:
        raise ValueError(f"{name}: the maps that it concatenates do not have one type and one scale")
    op = IntConcat(first.spec, second.spec)
    scale, zero = (np.concatenate(parts) for parts in ((first.scale, second.scale), (first.zero, second.zero)))
    return Lowered((Node(name, op, (first.name, second.name)),), Edge(name, op.out_spec, scale, zero))


def _lower_fused(
    seen: Step, reads: tuple[Edge, ...], bits: Bits, headroom: float, last: bool, step: float | None
) -> Lowered:
    op, name = seen.node.op, seen.node.name
    if is_depthwise(op):
        front: Front | Depthwise = depthwise_of(op.linear, reads[0], seen.inputs[0])
    else:
        front = front_of(name, op.linear, reads[0], seen.inputs[0], bits.basis, headroom)
    out_type = LOGIT if last else RECTIFIED if op.relu else SIGNED
    if last:
        step = steady(float(np.abs(seen.value).max()) * LOGIT_HEADROOM / LOGIT.hi or 1.0)
    elif step is None:
        step = own_step(op, seen.value, headroom)
    coef_type = QType(bits.coefs, signed=True)
    skip = reads[1] if op.skip else None
    if skip is not None and (skip.zero.any() or len({*skip.scale}) > 1):
        raise UsageError(f"{name}: it adds the raw pixels; put a 1x1 convolution between the input and the addition")
    coefs, requant = _fit(name, front, op, coef_type, out_type, step, 0.0 if skip is None else skip.scale[0])
    mac = front.operator(coefs, coef_type, requant, None if skip is None else skip.spec)
    node = Node(f"{name}.{front.part}", mac, (front.read,) if skip is None else (front.read, skip.name))
    channels = len(coefs)
    edge = Edge(node.name, mac.out_spec, np.full(channels, step), np.zeros(channels))
    clipped = _lower_clip(f"{name}.clip", op.lo, op.hi, edge)  # where saturation is not what the bounds ask for
    return Lowered((*front.nodes, node, *clipped.nodes), clipped.edge)


def _fit(
    name: str, front: Front | Depthwise, op: Fused, coef_type: QType, out: QType, step: float, skip_step: float
) -> tuple[np.ndarray, Requant]:
    """Coefficients and requantizer: y = (r*acc + skip + bias) / step with r = M * step / 2^S for each row.

    M is rounded first and the coefficients are fitted to the resulting scale, so M adds no error of its own.
    """
    blocks = front.moments()
    bias = np.zeros(len(front.start)) if op.linear.bias is None else op.linear.bias.astype(np.float64)
    wanted = np.concatenate([row_scales(m, coef_type) for m in blocks])
    target_mean = np.concatenate([m.target_mean for m in blocks])
    estimate = bias + target_mean - np.concatenate([m.start @ m.mean for m in blocks])
    shift = _shift(name, float(wanted.max()) / step, skip_step / step, 2 * float(np.abs(estimate).max()) / step)
    multiplier = np.ceil(wanted / step * 2.0**shift).clip(0, MULTIPLIER.hi)
    scale = multiplier * step / 2.0**shift
    ends = np.cumsum([len(m.start) for m in blocks])[:-1]
    parts = [fit(m, unit, coef_type) for m, unit in zip(blocks, np.split(scale, ends))]
    coefs = np.concatenate(parts)
    multiplier *= coefs.any(axis=1)
    offset = bias + target_mean - np.concatenate([part @ m.mean for m, part in zip(blocks, parts)]) * scale
    rounded_bias = np.rint(offset / step * 2.0**shift).clip(BIAS.lo, BIAS.hi)
    skip_multiplier = round(skip_step / step * 2.0**shift)
    return coefs, Requant(multiplier.astype(np.int64), rounded_bias.astype(np.int64), shift, out, skip_multiplier)


def _shift(name: str, multiplier: float, skip: float, bias: float) -> int:
    """The largest shift at which every constant still fits its width."""
    fits = MAX_SHIFT
    for value, limit in ((multiplier, MULTIPLIER.hi), (skip, MULTIPLIER.hi), (bias, BIAS.hi)):
        if value > 0:
            fits = min(fits, math.floor(math.log2(limit / value)))
    if fits < 1:
        raise ValueError(f"{name}: the scales of its input and output are too far apart for the requantizer")
    return fits
