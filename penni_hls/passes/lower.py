"""lower: the fused float graph -> the integer graph, node by node along the calibration batch.

An edge of the integer graph stands for real = (integer - zero) * scale, both per channel; zero is 0 behind the input. What a
node reads is quantized by its edge, so every choice (basis scales, shifts, coefficients, biases) sees the integers the
hardware will see.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..fixed import BIAS, MULTIPLIER, QType, Requant
from ..fixed import IntTensor
from ..graph import Graph, Node, TensorSpec
from ..layers import Conv, GlobalAvgPool, Input, Linear, MaxPool, PadShortcut, PenniConv
from ..ops import BasisConv, GlobalPool, SparseMac, Subsample
from ..ops import Input as IntInput
from ..ops import MaxPool as IntMaxPool
from .activation_range import activation_scale, steady
from .basis_range import IntBasis, identity_basis, quantize_basis
from .calibrate import Calibration, Observed, observe
from .coefficients import fit, moments, row_scales
from .fused import Fused

PIXEL = QType(8, signed=False)
RECTIFIED = QType(8, signed=False)
SIGNED = QType(8, signed=True)
LOGIT = QType(16, signed=True)
LOGIT_HEADROOM = 2.0  # logits beyond those of the calibration batch, before they saturate
MAX_SHIFT = 47
SAMPLES = (4096, 16384)  # output pixels that coefficients are fitted on: fewer where there are many channels
SAMPLE_VALUES = 1 << 21


@dataclass(frozen=True)
class Bits:
    """Widths of the weights: basis kernels and coefficients."""

    basis: int
    coefs: int


@dataclass(frozen=True, eq=False)
class Edge:
    """What the integers on an edge mean: real = (integer - zero) * scale; scale, zero float64 (C,)."""

    name: str
    spec: TensorSpec
    scale: np.ndarray
    zero: np.ndarray

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """values float (..., C) -> integers in the edge's dtype."""
        qtype = self.spec.qtype
        return np.clip(np.rint(values / self.scale + self.zero), qtype.lo, qtype.hi).astype(qtype.dtype)


@dataclass(frozen=True, eq=False)
class Lowered:
    """The nodes that stand for one float node, and the edge that leaves them."""

    nodes: tuple[Node, ...]
    edge: Edge


def lower(graph: Graph, calibration: Calibration, bits: Bits) -> tuple[Graph, float]:
    """-> (the integer graph without forks, what one step of its logits is worth)."""
    edges: dict[str, Edge] = {}
    nodes: list[Node] = []
    for seen in observe(graph, calibration):
        lowered = _lower_node(seen, tuple(edges[name] for name in seen.node.inputs), bits, last=seen.node is graph.output)
        nodes += lowered.nodes
        edges[seen.node.name] = lowered.edge
    return Graph(tuple(nodes)), float(edges[graph.output.name].scale[0])


def _lower_node(seen: Observed, reads: tuple[Edge, ...], bits: Bits, last: bool) -> Lowered:
    op, name = seen.node.op, seen.node.name
    match op:
        case Input():
            return _lower_input(name, op)
        case Fused():
            return _lower_fused(seen, reads, bits, last)
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


@dataclass(frozen=True, eq=False)
class _Front:
    """What a sparse MAC reads, and samples of it. nodes: the operators before it. z: integers (P, J). target: float sums
    (P, C_out) without bias. start: float64 (C_out, J), the coefficients in units of z."""

    nodes: tuple[Node, ...]
    read: str
    spec: TensorSpec
    flatten: bool
    z: np.ndarray
    target: np.ndarray
    start: np.ndarray


def _lower_fused(seen: Observed, reads: tuple[Edge, ...], bits: Bits, last: bool) -> Lowered:
    op, name = seen.node.op, seen.node.name
    fronts: dict[type, Callable[..., _Front]] = {Linear: _front_linear, Conv: _front_dense, PenniConv: _front_penni}
    front = fronts[type(op.linear)](name, op.linear, reads[0], seen.inputs[0], bits)
    out_type = LOGIT if last else RECTIFIED if op.relu else SIGNED
    if last:
        step = steady(float(np.abs(seen.output).max()) * LOGIT_HEADROOM / LOGIT.hi or 1.0)
    else:
        step = activation_scale(seen.output, out_type)
    coef_type = QType(bits.coefs, signed=True)
    skip = reads[1] if op.skip else None
    coefs, requant = _fit(front, op, coef_type, out_type, step, 0.0 if skip is None else skip.scale[0])
    mac = SparseMac(front.spec, coefs, coef_type, requant, None if skip is None else skip.spec, front.flatten)
    node = Node(f"{name}.mac", mac, (front.read,) if skip is None else (front.read, skip.name))
    channels = mac.channels
    return Lowered((*front.nodes, node), Edge(node.name, mac.out_spec, np.full(channels, step), np.zeros(channels)))


def _fit(
    front: _Front, op: Fused, coef_type: QType, out: QType, step: float, skip_step: float
) -> tuple[np.ndarray, Requant]:
    """Coefficients and requantizer: y = (r*acc + skip + bias) / step with r = M * step / 2^S for each row.

    M is rounded first and the coefficients are fitted to the scale that it then means, so M brings no error of its own.
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


def _sample(total: int, channels: int) -> np.ndarray:
    """Which of `total` output pixels to look at: sorted indices, the same every time."""
    count = min(total, int(np.clip(SAMPLE_VALUES // channels, *SAMPLES)))
    return np.sort(np.random.default_rng(0).choice(total, count, replace=False))


def _front_linear(name: str, layer: Linear, read: Edge, x: np.ndarray, bits: Bits) -> _Front:
    h, w, _ = read.spec.shape
    weight = layer.by_pixel.astype(np.float64)
    start = weight * np.tile(read.scale, h * w)
    z = read.quantize(x).reshape(len(x), -1)
    return _Front((), read.name, read.spec, True, z, x.reshape(len(x), -1) @ weight.T, start)


def _front_dense(name: str, conv: Conv, read: Edge, x: np.ndarray, bits: Bits) -> _Front:
    if conv.kernel > 1:
        k = conv.kernel
        taps = conv.weight.reshape(*conv.weight.shape[:2], k * k)
        return _front_basis(name, conv, np.eye(k * k).reshape(k * k, k, k), taps, identity_basis(k), read.spec.qtype, read, x)
    if conv.pad:
        raise ValueError(f"{name}: a 1x1 convolution with padding is not supported")
    nodes: tuple[Node, ...] = ()
    spec, source = read.spec, read.name
    if conv.stride > 1:
        subsample = Subsample(spec, conv.stride, spec.shape[2], 0)
        nodes, spec, source = (Node(f"{name}.subsample", subsample, (source,)),), subsample.out_spec, f"{name}.subsample"
    weight = conv.weight[:, :, 0, 0].astype(np.float64)
    pixels = x[:, :: conv.stride, :: conv.stride].reshape(-1, x.shape[3])
    pixels = pixels[_sample(len(pixels), x.shape[3])]
    return _Front(nodes, source, spec, False, read.quantize(pixels), pixels @ weight.T, weight * read.scale)


def _front_penni(name: str, conv: PenniConv, read: Edge, x: np.ndarray, bits: Bits) -> _Front:
    if conv.kernel == 1:
        return _front_dense(name, Conv(conv.x, conv.dense, conv.stride, conv.pad, conv.bias), read, x, bits)
    return _front_basis(name, conv, conv.basis, conv.coefs, bits.basis, SIGNED, read, x)


def _front_basis(
    name: str, conv: Conv | PenniConv, basis: np.ndarray, coefs: np.ndarray, ints: IntBasis | int, z_type: QType, read: Edge,
    x: np.ndarray,
) -> _Front:  # fmt: skip
    """basis (d, k, k) and coefs (C_out, C_in, d) float; ints: the integer basis, or the bits it is to have."""
    k, c = conv.kernel, x.shape[3]
    windows = _windows(conv, x)
    x_ints = read.quantize(windows)
    if isinstance(ints, int):
        ints = quantize_basis(basis, x_ints.transpose(0, 2, 1).reshape(-1, k * k), ints, z_type)
    pad_value = read.quantize(np.zeros(c)).astype(np.int64)
    op = BasisConv(read.spec, ints.basis, ints.shifts, z_type, conv.stride, conv.pad, pad_value)
    # A sampled window is an image of its own: the operator says what its z is.
    lone = BasisConv(TensorSpec((k, k, c), read.spec.qtype), ints.basis, ints.shifts, z_type, 1, 0, pad_value)
    z = lone.reference(IntTensor(x_ints.reshape(-1, k, k, c), read.spec.qtype)).values.reshape(len(windows), -1)
    dense = coefs.reshape(-1, len(basis)).astype(np.float64) @ basis.reshape(len(basis), -1)
    dense = dense.reshape(len(coefs), c, k * k).transpose(2, 1, 0).reshape(-1, len(coefs)).astype(np.float32)
    start = (coefs * read.scale[:, None] * ints.scale).astype(np.float64).reshape(len(coefs), -1)
    node = Node(f"{name}.basis", op, (read.name,))
    return _Front((node,), node.name, op.out_spec, False, z, windows.reshape(len(windows), -1) @ dense, start)


def _windows(conv: Conv | PenniConv, x: np.ndarray) -> np.ndarray:
    """Sampled windows of x, float32 (P, k*k, C), 0 outside the image."""
    k, s, p = conv.kernel, conv.stride, conv.pad
    ho, wo, _ = conv.out_spec.shape
    chosen = _sample(len(x) * ho * wo, x.shape[3])
    image, pixel = np.divmod(chosen, ho * wo)
    row, column = (v * s for v in np.divmod(pixel, wo))
    padded = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    taps = [padded[image, row + i, column + j] for i in range(k) for j in range(k)]
    return np.stack(taps, axis=1)
