"""The operators in front of a sparse MAC, a basis convolution or subsampling, and samples of their output.

A convolution in groups has block-diagonal coefficients; `depthwise` has the one case with an operator of its own.

Every choice is made on integers as the hardware sees them: sampled windows of the float map, quantized by the edge from
which they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..ir.fixed import IntTensor, QType, Requant
from ..ir.graph import Node, TensorSpec
from ..ir.layers import Conv, Linear, PenniConv
from ..ir.ops import BasisConv, SparseMac, Subsample
from .basis_range import IntBasis, identity_basis, quantize_basis
from .coefficients import Moments, moments
from .edge import Edge

Z_TYPE = QType(8, signed=True)
SAMPLES = (4096, 16384)  # output pixels to which coefficients are fitted: fewer where there are many channels
SAMPLE_VALUES = 1 << 21


@dataclass(frozen=True, eq=False)
class Front:
    """What a sparse MAC reads, and samples of it.

    nodes: the operators before it. z: integers (P, J). target: float sums (P, C_out) without bias. start: float64
    (C_out, J), the coefficients in units of z.
    """

    nodes: tuple[Node, ...]
    read: str
    spec: TensorSpec
    flatten: bool
    z: np.ndarray
    target: np.ndarray
    start: np.ndarray

    part: ClassVar[str] = "mac"  # of the operator's name, behind the layer's

    def moments(self) -> tuple[Moments, ...]:
        """What the coefficients are fitted to, block by block of their rows: here one block."""
        return (moments(self.start, self.z, self.target),)

    def operator(self, coefs: np.ndarray, coef_type: QType, requant: Requant, skip: TensorSpec | None) -> SparseMac:
        """coefs: int64 (C_out, J)."""
        return SparseMac(self.spec, coefs, coef_type, requant, skip, self.flatten)


def front_of(
    name: str, layer: Conv | PenniConv | Linear, read: Edge, x: np.ndarray, bits: int, headroom: float
) -> Front:
    """x: the float map on the edge `read`, (N, H, W, C). bits: of basis kernels. headroom: on the range of z."""
    match layer:
        case Linear():
            return _linear(layer, read, x)
        case Conv():
            return _dense(name, layer, read, x)
        case PenniConv():
            return _penni(name, layer, read, x, bits, headroom)


def _linear(layer: Linear, read: Edge, x: np.ndarray) -> Front:
    h, w, _ = read.spec.shape
    weight = layer.by_pixel.astype(np.float64)
    start = weight * np.tile(read.scale, h * w)
    z = read.quantize(x).reshape(len(x), -1)
    return Front((), read.name, read.spec, True, z, x.reshape(len(x), -1) @ weight.T, start)


def _dense(name: str, conv: Conv | PenniConv, read: Edge, x: np.ndarray) -> Front:
    rows = conv.block_diagonal(conv.dense)
    if conv.kernel > 1:
        k = conv.kernel
        taps = rows.reshape(*rows.shape[:2], k * k)
        identity = np.eye(k * k).reshape(k * k, k, k)
        return _basis(name, conv, (identity, taps), identity_basis(k), read.spec.qtype, read, windows_of(conv, x))
    if conv.pad:
        raise ValueError(f"{name}: a 1x1 convolution with padding is not supported")
    nodes: tuple[Node, ...] = ()
    spec, source = read.spec, read.name
    if conv.stride > 1:
        subsample = Subsample(spec, conv.stride, spec.shape[2], 0)
        nodes = (Node(f"{name}.subsample", subsample, (source,)),)
        spec, source = subsample.out_spec, f"{name}.subsample"
    weight = rows[:, :, 0, 0].astype(np.float64)
    pixels = x[:, :: conv.stride, :: conv.stride].reshape(-1, x.shape[3])
    pixels = pixels[_sample(len(pixels), x.shape[3])]
    return Front(nodes, source, spec, False, read.quantize(pixels), pixels @ weight.T, weight * read.scale)


def _penni(name: str, conv: PenniConv, read: Edge, x: np.ndarray, bits: int, headroom: float) -> Front:
    if conv.kernel == 1:
        return _dense(name, conv, read, x)
    windows = windows_of(conv, x)
    # The windows are scaled up so that z, too, gets the headroom.
    seen = read.quantize(windows).transpose(0, 2, 1).reshape(-1, conv.kernel**2) * headroom
    ints = quantize_basis(conv.basis, seen, bits, Z_TYPE)
    return _basis(name, conv, (conv.basis, conv.block_diagonal(conv.coefs)), ints, Z_TYPE, read, windows)


def _basis(
    name: str,
    conv: Conv | PenniConv,
    weights: tuple[np.ndarray, np.ndarray],
    ints: IntBasis,
    z_type: QType,
    read: Edge,
    windows: np.ndarray,
) -> Front:
    """weights: basis (d, k, k) and coefs (C_out, C_in, d) float; windows: samples of the float map (P, k*k, C_in)."""
    basis, coefs = weights
    k, c = conv.kernel, conv.x.shape[2]
    x_ints = read.quantize(windows)
    pad_value = read.quantize(np.zeros(c)).astype(np.int64)
    op = BasisConv(read.spec, ints.basis, ints.shifts, z_type, conv.stride, conv.pad, pad_value)
    # Each sampled window is an image of its own, of which the operator computes z.
    lone = BasisConv(TensorSpec((k, k, c), read.spec.qtype), ints.basis, ints.shifts, z_type, 1, 0, pad_value)
    z = lone.reference(IntTensor(x_ints.reshape(-1, k, k, c), read.spec.qtype)).values.reshape(len(windows), -1)
    dense = coefs.reshape(-1, len(basis)).astype(np.float64) @ basis.reshape(len(basis), -1)
    dense = dense.reshape(len(coefs), c, k * k).transpose(2, 1, 0).reshape(-1, len(coefs)).astype(np.float32)
    start = (coefs * read.scale[:, None] * ints.scale).astype(np.float64).reshape(len(coefs), -1)
    node = Node(f"{name}.basis", op, (read.name,))
    return Front((node,), node.name, op.out_spec, False, z, windows.reshape(len(windows), -1) @ dense, start)


def windows_of(conv: Conv | PenniConv, x: np.ndarray) -> np.ndarray:
    """Sampled windows of x, float32 (P, k*k, C), 0 outside the image."""
    k, s, p = conv.kernel, conv.stride, conv.pad
    ho, wo, _ = conv.out_spec.shape
    chosen = _sample(len(x) * ho * wo, x.shape[3])
    image, pixel = np.divmod(chosen, ho * wo)
    row, column = (v * s for v in np.divmod(pixel, wo))
    padded = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    taps = [padded[image, row + i, column + j] for i in range(k) for j in range(k)]
    return np.stack(taps, axis=1)


def _sample(total: int, channels: int) -> np.ndarray:
    """The sampled ones of `total` output pixels: sorted indices, the same every time."""
    count = min(total, int(np.clip(SAMPLE_VALUES // channels, *SAMPLES)))
    return np.sort(np.random.default_rng(0).choice(total, count, replace=False))
