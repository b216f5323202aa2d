"""The operators in front of a sparse MAC, a basis convolution or subsampling, and samples of their output.

A convolution in groups has block-diagonal coefficients; `depthwise` has the one case with an operator of its own.

Every choice is made on integers as the hardware sees them: sampled windows of the float map, quantized by the edge from
which they are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar, TypeGuard

import numpy as np

from ..ir.fixed import IntTensor, QType, Requant
from ..ir.graph import Node, TensorSpec
from ..ir.layers import Conv, Linear, PenniConv
from ..ir.ops import BasisConv, SparseMac, Subsample
from ..ir.windows import Widened, short
from .basis_range import WINDOWS, IntBasis, identity_basis, quantize_basis
from .coefficients import Moments, moments
from .edge import Edge
from .exact import CHUNK, product, sums_of

Z_TYPE = QType(8, signed=True)
SAMPLES = (4096, 16384)  # output pixels to which coefficients are fitted: fewer where there are many channels
SAMPLE_VALUES = 1 << 21
ERROR_SAMPLES = 1024  # of them, on which the error of z is measured


@dataclass(frozen=True, eq=False)
class Front:
    """What a sparse MAC reads, and samples of it.

    nodes: the operators before it. z: integers (P, used columns). target: float sums (P, C_out) without bias. start: float64
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

    @cached_property
    def used(self) -> np.ndarray:
        """The columns that some coefficient reads, at least one: the others take no part."""
        return np.flatnonzero(read_by(self.start))

    @cached_property
    def moments(self) -> tuple[Moments, ...]:
        """What the coefficients of the used columns are fitted to, block by block of their rows: here one block."""
        return (moments(self.start[:, self.used], self.z, self.target),)

    def operator(self, coefs: np.ndarray, coef_type: QType, requant: Requant, skip: TensorSpec | None) -> SparseMac:
        """coefs: int64 (C_out, used columns)."""
        whole = np.zeros(self.start.shape, np.int64)
        whole[:, self.used] = coefs
        return SparseMac(self.spec, whole, coef_type, requant, skip, self.flatten)

    def error(self) -> float:
        """Mean square error of the sums (their means removed), with exact coefficients: what rounding z costs."""
        return float((product(self.z, self.start[:, self.used].T) - self.target).var(axis=0).mean())


def read_by(start: np.ndarray) -> np.ndarray:
    """start (C_out, J) -> bool (J,): the columns with a non-zero, or where there is none the first."""
    read = start.any(axis=0)
    return read if read.any() else np.arange(len(read)) == 0


@dataclass(frozen=True, eq=False)
class Fronts:
    """The fronts of a layer, by the bits of its basis kernels. at: the last two are kept. error: as `Front.error`, about: of
    ERROR_SAMPLES samples."""

    at: Callable[[int], Any]
    error: Callable[[int], float]


def fronts_of(name: str, layer: Conv | PenniConv | Linear, read: Edge, x: np.ndarray, headroom: float) -> Fronts:
    """x: the float map on the edge `read`, (N, H, W, C). headroom: on the range of z."""
    if has_bases(layer):
        return _penni(name, layer, read, x, headroom)
    return always(_linear(layer, read, x) if isinstance(layer, Linear) else _dense(name, layer, read, x))


def always(front: Any) -> Fronts:
    """Of a layer without bases: `front`, whatever the bits."""
    return Fronts(lambda bits: front, lambda bits: 0.0)


def has_bases(layer: Conv | PenniConv | Linear) -> TypeGuard[PenniConv]:
    """Does it become a basis convolution with kernels of its own?"""
    return isinstance(layer, PenniConv) and layer.window.taps > 1


def _linear(layer: Linear, read: Edge, x: np.ndarray) -> Front:
    h, w, _ = read.spec.shape
    weight = layer.by_pixel.astype(np.float64)
    start = weight * np.tile(read.scale, h * w)
    z = read.quantize(x).reshape(len(x), -1)
    return Front((), read.name, read.spec, True, z[:, read_by(start)], product(x.reshape(len(x), -1), weight.T), start)


def _dense(name: str, conv: Conv | PenniConv, read: Edge, x: np.ndarray) -> Front:
    rows = conv.block_diagonal(conv.dense)
    (down, right), window = conv.window.stride, conv.window
    if window.taps > 1 or window.padded or down != right:
        taps = rows.reshape(*rows.shape[:2], window.taps)
        units = identity_basis(window.kernel, taps.any(axis=(0, 1)))
        used = taps[:, :, units.basis.reshape(-1, window.taps).any(axis=0)]
        windows = windows_of(conv, x)
        weights, z_type = (units.basis, used), read.spec.qtype
        return _basis(name, conv, weights, units, z_type, read, read.quantize(windows), _sums(conv, windows))
    nodes: tuple[Node, ...] = ()
    spec, source = read.spec, read.name
    if down > 1:
        subsample = Subsample(spec, down, spec.shape[2], 0)
        nodes = (Node(f"{name}.subsample", subsample, (source,)),)
        spec, source = subsample.out_spec, f"{name}.subsample"
    weight = rows[:, :, 0, 0].astype(np.float64)
    pixels = x[:, ::down, ::right].reshape(-1, x.shape[3])
    pixels = pixels[_sample(len(pixels), x.shape[3])]
    start = weight * read.scale
    return Front(nodes, source, spec, False, read.quantize(pixels)[:, read_by(start)], product(pixels, weight.T), start)


def _penni(name: str, conv: PenniConv, read: Edge, x: np.ndarray, headroom: float) -> Fronts:
    windows = windows_of(conv, x)
    ints, target = read.quantize(windows), _sums(conv, windows)
    seen = ints.transpose(0, 2, 1).reshape(-1, conv.window.taps)
    seen = seen[:: -(-len(seen) // WINDOWS)] * headroom  # scaled up so that z, too, gets the headroom
    weights = conv.basis, conv.block_diagonal(conv.coefs)

    @cache
    def basis(bits: int) -> IntBasis:
        return quantize_basis(conv.basis, seen, bits, Z_TYPE)

    def front(bits: int, step: int = 1) -> Front:
        return _basis(name, conv, weights, basis(bits), Z_TYPE, read, ints[::step], target[::step])

    return Fronts(lru_cache(maxsize=2)(front), lambda bits: front(bits, -(-len(ints) // ERROR_SAMPLES)).error())


def _basis(
    name: str,
    conv: Conv | PenniConv,
    weights: tuple[np.ndarray, np.ndarray],
    ints: IntBasis,
    z_type: QType,
    read: Edge,
    windows: np.ndarray,
    target: np.ndarray,
) -> Front:
    """weights: basis (d, kh, kw) and coefs (C_out, C_in, d) float; windows: samples of the map, integers (P, kh*kw, C_in).

    The operator's kernel is widened where the stride or the padding asks for it; the samples are of the layer's own.
    """
    _, coefs = weights
    (kh, kw), c = conv.window.kernel, conv.x.shape[2]
    wide = widened(conv)
    pad_value = read.quantize(np.zeros(c)).astype(np.int64)
    stride, pads = short(wide.window.stride), short(wide.window.pads)
    op = BasisConv(read.spec, wide.embed(ints.basis), ints.shifts, z_type, stride, pads, pad_value)
    # Each sampled window is an image of its own, of which the operator computes z.
    start = (coefs * read.scale[:, None] * ints.scale).astype(np.float64).reshape(len(coefs), -1)
    used, seen = read_by(start).reshape(c, -1), TensorSpec((kh, kw, c), read.spec.qtype)
    lone = BasisConv(seen, ints.basis, ints.shifts, z_type, 1, 0, pad_value, used)
    z = lone.reference(IntTensor(windows.reshape(-1, kh, kw, c), read.spec.qtype)).values.reshape(len(windows), -1)
    node = Node(f"{name}.basis", op, (read.name,))
    return Front((node,), node.name, op.out_spec, False, z, target, start)


def _sums(conv: Conv | PenniConv, windows: np.ndarray) -> np.ndarray:
    """windows: samples of the float map (P, kh*kw, C_in) -> the convolution's sums, (P, C_out)."""
    sums, step = sums_of(conv), max(1, CHUNK // (windows.shape[1] * windows.shape[2]))
    parts = (windows[start : start + step] for start in range(0, len(windows), step))
    return np.concatenate([sums(list(part.transpose(1, 0, 2).astype(np.float64))) for part in parts])


def widened(conv: Conv | PenniConv) -> Widened:
    """The layer's windows as its operator walks over them: of one channel at least two columns, each a cycle."""
    return conv.window.widened((1, 2 if conv.x.shape[2] == 1 else 1))


def windows_of(conv: Conv | PenniConv, x: np.ndarray) -> np.ndarray:
    """Sampled windows of x, float32 (P, kh*kw, C), 0 outside the image."""
    (kh, kw), (down, right) = conv.window.kernel, conv.window.stride
    ho, wo, _ = conv.out_spec.shape
    chosen = _sample(len(x) * ho * wo, x.shape[3])
    image, pixel = np.divmod(chosen, ho * wo)
    row, column = pixel // wo * down, pixel % wo * right
    padded = conv.window.around(x, 0.0)
    taps = [padded[image, row + i, column + j] for i in range(kh) for j in range(kw)]
    return np.stack(taps, axis=1)


def _sample(total: int, channels: int) -> np.ndarray:
    """The sampled ones of `total` output pixels: sorted indices, the same every time."""
    count = min(total, int(np.clip(SAMPLE_VALUES // channels, *SAMPLES)))
    return np.sort(np.random.default_rng(0).choice(total, count, replace=False))
