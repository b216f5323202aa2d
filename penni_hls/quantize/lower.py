"""lower: the fused float graph -> the integer graph, node by node along the calibration batch.

The inputs of a node are quantized by their edges, so every choice (basis scales, shifts, coefficients, biases) is made
on the integers that the hardware will see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..ir.fixed import BIAS, MULTIPLIER, QType, Requant
from ..ir.graph import Graph, Node, TensorSpec
from ..ir.interpreter import Step
from ..ir.layers import GlobalAvgPool, Input, MaxPool, PadShortcut
from ..ir.ops import GlobalPool, SparseMac, Subsample
from ..ir.ops import Input as IntInput
from ..ir.ops import MaxPool as IntMaxPool
from ..passes.fused import Fused
from .activation_range import activation_scale, steady
from .calibrate import Calibration, observe
from .coefficients import fit, moments, row_scales
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


def lower(graph: Graph, calibration: Calibration, bits: Bits) -> tuple[Graph, float]:
    """-> (the integer graph without forks, the real value of one step of its logits)."""
    edges: dict[str, Edge] = {}
    nodes: list[Node] = []
    for seen in observe(graph, calibration):
        reads = tuple(edges[name] for name in seen.node.inputs)
        lowered = _lower_node(seen, reads, bits, calibration.headroom, last=seen.node is graph.output)
        nodes += lowered.nodes
        edges[seen.node.name] = lowered.edge
    return Graph(tuple(nodes)), float(edges[graph.output.name].scale[0])


def _lower_node(seen: Step, reads: tuple[Edge, ...], bits: Bits, headroom: float, last: bool) -> Lowered:
    op, name = seen.node.op, seen.node.name
    match op:
        case Input():
            return _lower_input(name, op)
        case Fused():
            return _lower_fused(seen, reads, bits, headroom, last)
        case MaxPool():
            return _through(name, IntMaxPool(reads[0].spec, op.kernel, op.stride, op.pad), reads[0])
        case GlobalAvgPool():
            return _through(name, GlobalPool(reads[0].spec), reads[0], divide=reads[0].spec.pixels)
        case PadShortcut():
            return _through(name, Subsample(reads[0].spec, op.stride, op.channels, op.offset), reads[0])
    raise ValueError(f"{name}: there is no integer operator for {type(op).__name__}")


def _lower_input(name: str, op: Input) -> Lowered:
    spec = TensorSpec(op.spec.shape, PIXEL)
    mean, std = np.asarray(op.mean, np.float64), np.asarray(op.std, np.float64)
    edge = Edge(name, spec, 1 / (PIXEL.hi * std), PIXEL.hi * mean)
    return Lowered((Node(name, IntInput(spec)),), edge)


def _through(name: str, op: IntMaxPool | GlobalPool | Subsample, read: Edge, divide: int = 1) -> Lowered:
    """An operator that keeps the meaning of its integers, up to a divisor."""
    channels = op.out_spec.shape[2]
    edge = Edge(name, op.out_spec, np.full(channels, read.scale[0] / divide), np.zeros(channels))
    return Lowered((Node(name, op, (read.name,)),), edge)


def _lower_fused(seen: Step, reads: tuple[Edge, ...], bits: Bits, headroom: float, last: bool) -> Lowered:
    op, name = seen.node.op, seen.node.name
    front = front_of(name, op.linear, reads[0], seen.inputs[0], bits.basis, headroom)
    out_type = LOGIT if last else RECTIFIED if op.relu else SIGNED
    if last:
        step = steady(float(np.abs(seen.value).max()) * LOGIT_HEADROOM / LOGIT.hi or 1.0)
    else:
        step = steady(activation_scale(seen.value, out_type) * headroom)
    coef_type = QType(bits.coefs, signed=True)
    skip = reads[1] if op.skip else None
    coefs, requant = _fit(front, op, coef_type, out_type, step, 0.0 if skip is None else skip.scale[0])
    mac = SparseMac(front.spec, coefs, coef_type, requant, None if skip is None else skip.spec, front.flatten)
    node = Node(f"{name}.mac", mac, (front.read,) if skip is None else (front.read, skip.name))
    channels = mac.channels
    return Lowered((*front.nodes, node), Edge(node.name, mac.out_spec, np.full(channels, step), np.zeros(channels)))


def _fit(
    front: Front, op: Fused, coef_type: QType, out: QType, step: float, skip_step: float
) -> tuple[np.ndarray, Requant]:
    """Coefficients and requantizer: y = (r*acc + skip + bias) / step with r = M * step / 2^S for each row.

    M is rounded first and the coefficients are fitted to the resulting scale, so M adds no error of its own.
    """
    m = moments(front.start, front.z, front.target)
    bias = np.zeros(len(front.start)) if op.linear.bias is None else op.linear.bias.astype(np.float64)
    wanted = row_scales(m, coef_type)
    estimate = bias + m.target_mean - m.start @ m.mean
    shift = _shift(float(wanted.max()) / step, skip_step / step, 2 * float(np.abs(estimate).max()) / step)
    multiplier = np.ceil(wanted / step * 2.0**shift).clip(0, MULTIPLIER.hi)
    scale = multiplier * step / 2.0**shift
    coefs = fit(m, scale, coef_type)
    multiplier *= coefs.any(axis=1)
    offset = bias + m.target_mean - (coefs @ m.mean) * scale
    rounded_bias = np.rint(offset / step * 2.0**shift).clip(BIAS.lo, BIAS.hi)
    skip_multiplier = round(skip_step / step * 2.0**shift)
    return coefs, Requant(multiplier.astype(np.int64), rounded_bias.astype(np.int64), shift, out, skip_multiplier)


def _shift(multiplier: float, skip: float, bias: float) -> int:
    """The largest shift at which every constant still fits its width."""
    fits = MAX_SHIFT
    for value, limit in ((multiplier, MULTIPLIER.hi), (skip, MULTIPLIER.hi), (bias, BIAS.hi)):
        if value > 0:
            fits = min(fits, math.floor(math.log2(limit / value)))
    if fits < 1:
        raise ValueError("the scales of its input and output are too far apart for the requantizer")
    return fits
