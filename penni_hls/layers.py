"""The float vocabulary: the layers of a trained network, as numpy arrays.

Maps are (H, W, C) for one image, (N, H, W, C) float32 in `reference`. Weights keep the layout torch gives them.
Every layer says what it takes (`in_specs`), what it gives (`out_spec`), how it computes (`reference`) and how large it
is (`size`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class MapSpec:
    """What an edge of the float graph carries for one image: shape (H, W, C), float32."""

    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"MapSpec: shape {self.shape}")

    @property
    def pixels(self) -> int:
        return self.shape[0] * self.shape[1]

    def __str__(self) -> str:
        return "x".join(map(str, self.shape))


@dataclass(frozen=True)
class Size:
    """How large a layer is. Multiply-accumulates (MACs) are per image.

    dense_parameters, dense_macs: of the layer written as plain weights. nonzeros: numbers stored, zeros left out.
    basis_macs: of the basis convolutions whose result some coefficient reads; sparse_macs: one per non-zero and pixel.
    """

    dense_parameters: int = 0
    nonzeros: int = 0
    dense_macs: int = 0
    basis_macs: int = 0
    sparse_macs: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(
            self.dense_parameters + other.dense_parameters,
            self.nonzeros + other.nonzeros,
            self.dense_macs + other.dense_macs,
            self.basis_macs + other.basis_macs,
            self.sparse_macs + other.sparse_macs,
        )


def _windowed(x: MapSpec, kernel: int, stride: int, pad: int, channels: int) -> MapSpec:
    """The map that k x k windows of `x` give."""
    h, w, _ = x.shape
    return MapSpec(((h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1, channels))


def columns(x: np.ndarray, kernel: int, stride: int, pad: int, fill: float = 0.0) -> np.ndarray:
    """x (N, H, W, C) -> its windows (N, Ho, Wo, k*k, C), taps row by row, `fill` outside the image; same dtype."""
    n, h, w, c = x.shape
    ho, wo = (h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1
    padded = np.full((n, h + 2 * pad, w + 2 * pad, c), fill, x.dtype) if pad else x
    if pad:
        padded[:, pad : pad + h, pad : pad + w] = x
    out = np.empty((n, ho, wo, kernel * kernel, c), x.dtype)
    for t in range(kernel * kernel):
        i, j = divmod(t, kernel)
        out[:, :, :, t] = padded[:, i : i + (ho - 1) * stride + 1 : stride, j : j + (wo - 1) * stride + 1 : stride]
    return out


def _nonzeros(*arrays: np.ndarray | None) -> int:
    return sum(int(np.count_nonzero(a)) for a in arrays if a is not None)


@dataclass(frozen=True, eq=False)
class Input:
    """Raw pixels 0..255 normalised: (pixel / 255 - mean) / std. mean, std: one number per channel."""

    spec: MapSpec
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.mean) == len(self.std) == self.spec.shape[2]:
            raise ValueError(
                f"the images have {self.spec.shape[2]} channels: mean and std need as many values, not"
                f" {len(self.mean)} and {len(self.std)}"
            )
        if min(self.std) <= 0:
            raise ValueError(f"input: a standard deviation of {min(self.std)}; it must be positive")

    @property
    def in_specs(self) -> tuple[MapSpec, ...]:
        return ()

    @property
    def out_spec(self) -> MapSpec:
        return self.spec

    @property
    def size(self) -> Size:
        return Size()

    def reference(self, images: np.ndarray) -> np.ndarray:
        """images (N, H, W, C) uint8 -> float32."""
        mean, std = (np.asarray(v, np.float32) for v in (self.mean, self.std))
        return (images.astype(np.float32) / np.float32(255) - mean) / std


class _Convolution(ABC):
    """What a plain and a decomposed convolution share: shapes and the float reference over the dense weight."""

    x: MapSpec
    stride: int
    pad: int
    bias: np.ndarray | None

    @property
    @abstractmethod
    def channels(self) -> int: ...

    @property
    @abstractmethod
    def kernel(self) -> int: ...

    @property
    @abstractmethod
    def dense(self) -> np.ndarray:
        """The dense weight, float32 (C_out, C_in, k, k)."""

    @property
    def in_specs(self) -> tuple[MapSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> MapSpec:
        return _windowed(self.x, self.kernel, self.stride, self.pad, self.channels)

    @cached_property
    def _matrix(self) -> np.ndarray:
        """(k*k*C_in, C_out), rows in the order of `columns`."""
        return np.ascontiguousarray(self.dense.transpose(2, 3, 1, 0).reshape(-1, self.channels))

    def reference(self, x: np.ndarray) -> np.ndarray:
        """x (N, H, W, C_in) -> (N, Ho, Wo, C_out) float32."""
        if self.kernel == 1 and not self.pad:
            taps = x[:, :: self.stride, :: self.stride]
        else:
            taps = columns(x, self.kernel, self.stride, self.pad)
        y = taps.reshape(-1, self._matrix.shape[0]) @ self._matrix
        if self.bias is not None:
            y += self.bias
        return y.reshape(len(x), *self.out_spec.shape)

    def _size(self, nonzeros: int, basis_macs: int, sparse: int) -> Size:
        dense = self.channels * self.x.shape[2] * self.kernel**2
        pixels = self.out_spec.pixels
        biases = 0 if self.bias is None else len(self.bias)
        return Size(dense + biases, nonzeros + _nonzeros(self.bias), dense * pixels, basis_macs, sparse * pixels)


@dataclass(frozen=True, eq=False)
class Conv(_Convolution):
    """A plain convolution. weight: float32 (C_out, C_in, k, k); bias: float32 (C_out,) or None."""

    x: MapSpec
    weight: np.ndarray
    stride: int = 1
    pad: int = 0
    bias: np.ndarray | None = None

    def __post_init__(self) -> None:
        if (
            self.weight.ndim != 4
            or self.weight.shape[2] != self.weight.shape[3]
            or self.weight.shape[1] != self.x.shape[2]
        ):
            raise ValueError(f"conv: weight {self.weight.shape} does not go with a {self.x} map")

    @property
    def dense(self) -> np.ndarray:
        return self.weight

    @property
    def channels(self) -> int:
        return self.weight.shape[0]

    @property
    def kernel(self) -> int:
        return self.weight.shape[2]

    @property
    def size(self) -> Size:
        used = _nonzeros(self.weight)
        return self._size(used, 0, used)


@dataclass(frozen=True, eq=False)
class PenniConv(_Convolution):
    """A decomposed convolution, W[o, i] = sum_b coefs[o, i, b] * basis[b].

    basis: float32 (d, k, k); coefs: float32 (C_out, C_in, d); bias: float32 (C_out,) or None.
    """

    x: MapSpec
    basis: np.ndarray
    coefs: np.ndarray
    stride: int = 1
    pad: int = 0
    bias: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.coefs.shape[1:] != (self.x.shape[2], self.basis.shape[0]) or self.basis.shape[1] != self.basis.shape[2]:
            raise ValueError(
                f"penni conv: basis {self.basis.shape}, coefs {self.coefs.shape} do not go with a {self.x} map"
            )

    def weight(self) -> np.ndarray:
        """The dense weight, float32 (C_out, C_in, k, k)."""
        return self.dense

    @cached_property
    def dense(self) -> np.ndarray:
        d, k, _ = self.basis.shape
        return (self.coefs.reshape(-1, d) @ self.basis.reshape(d, -1)).reshape(*self.coefs.shape[:2], k, k)

    @property
    def channels(self) -> int:
        return self.coefs.shape[0]

    @property
    def kernel(self) -> int:
        return self.basis.shape[1]

    @property
    def size(self) -> Size:
        """Basis maps (channel, basis) that no coefficient reads are not computed, and not counted."""
        maps = int(np.count_nonzero(self.coefs.any(axis=0)))
        used = _nonzeros(self.coefs)
        return self._size(used + _nonzeros(self.basis), maps * self.kernel**2 * self.out_spec.pixels, used)


@dataclass(frozen=True, eq=False)
class Linear:
    """A matrix over the whole map, flattened as torch does, (C, H, W). weight: float32 (O, C*H*W); bias: (O,)."""

    x: MapSpec
    weight: np.ndarray
    bias: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.weight.shape[1] != math.prod(self.x.shape):
            raise ValueError(f"linear: weight {self.weight.shape} does not go with a {self.x} map")

    @property
    def in_specs(self) -> tuple[MapSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> MapSpec:
        return MapSpec((1, 1, self.weight.shape[0]))

    @cached_property
    def by_pixel(self) -> np.ndarray:
        """The weight with its columns in the order of streams: (O, H*W*C)."""
        h, w, c = self.x.shape
        return np.ascontiguousarray(
            self.weight.reshape(-1, c, h, w).transpose(0, 2, 3, 1).reshape(len(self.weight), -1)
        )

    @property
    def size(self) -> Size:
        used = _nonzeros(self.weight)
        biases = 0 if self.bias is None else len(self.bias)
        return Size(self.weight.size + biases, used + _nonzeros(self.bias), self.weight.size, 0, used)

    def reference(self, x: np.ndarray) -> np.ndarray:
        """x (N, H, W, C) -> (N, 1, 1, O) float32."""
        y = x.reshape(len(x), -1) @ self.by_pixel.T
        if self.bias is not None:
            y = y + self.bias
        return y.reshape(len(x), 1, 1, -1)


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """(x - mean) / sqrt(var + eps) * gamma + beta; each float32 (C,)."""

    x: MapSpec
    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    eps: float = 1e-5

    def __post_init__(self) -> None:
        if any(v.shape != (self.x.shape[2],) for v in (self.gamma, self.beta, self.mean, self.var)):
            raise ValueError(f"batch norm: four vectors of {self.x.shape[2]} are needed")

    @property
    def in_specs(self) -> tuple[MapSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> MapSpec:
        return self.x

    @property
    def size(self) -> Size:
        return Size(self.gamma.size + self.beta.size, self.gamma.size + self.beta.size)

    @cached_property
    def scale(self) -> np.ndarray:
        """What a channel is multiplied by: float64 (C,)."""
        return self.gamma.astype(np.float64) / np.sqrt(self.var.astype(np.float64) + self.eps)

    @cached_property
    def offset(self) -> np.ndarray:
        """What is then added: float64 (C,)."""
        return self.beta - self.mean * self.scale

    def reference(self, x: np.ndarray) -> np.ndarray:
        y = x * self.scale.astype(np.float32)
        y += self.offset.astype(np.float32)
        return y


@dataclass(frozen=True)
class _SameMap:
    """A layer that gives a map of the shape it takes."""

    x: MapSpec

    @property
    def in_specs(self) -> tuple[MapSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> MapSpec:
        return self.x

    @property
    def size(self) -> Size:
        return Size()


@dataclass(frozen=True)
class Relu(_SameMap):
    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, np.float32(0))


@dataclass(frozen=True)
class Add(_SameMap):
    """The sum of two maps of the same shape."""

    @property
    def in_specs(self) -> tuple[MapSpec, ...]:
        return (self.x, self.x)

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x + y


@dataclass(frozen=True)
class MaxPool(_SameMap):
    """The maximum of each k x k window; what lies outside the image never wins."""

    kernel: int
    stride: int
    pad: int = 0

    @property
    def out_spec(self) -> MapSpec:
        return _windowed(self.x, self.kernel, self.stride, self.pad, self.x.shape[2])

    def reference(self, x: np.ndarray) -> np.ndarray:
        return columns(x, self.kernel, self.stride, self.pad, fill=-np.inf).max(axis=3)


@dataclass(frozen=True)
class GlobalAvgPool(_SameMap):
    """The mean over all pixels."""

    @property
    def out_spec(self) -> MapSpec:
        return MapSpec((1, 1, self.x.shape[2]))

    def reference(self, x: np.ndarray) -> np.ndarray:
        return x.mean(axis=(1, 2), keepdims=True)


@dataclass(frozen=True)
class PadShortcut(_SameMap):
    """The parameter-free shortcut ("option A"): every stride-th pixel, zero channels added on both sides."""

    stride: int
    channels: int

    def __post_init__(self) -> None:
        if self.channels < self.x.shape[2]:
            raise ValueError(f"shortcut: a {self.x} map cannot be padded to {self.channels} channels")

    @property
    def offset(self) -> int:
        """Zero channels before those of x; an odd one more comes after."""
        return (self.channels - self.x.shape[2]) // 2

    @property
    def out_spec(self) -> MapSpec:
        return _windowed(self.x, 1, self.stride, 0, self.channels)

    def reference(self, x: np.ndarray) -> np.ndarray:
        after = self.channels - self.offset - x.shape[3]
        return np.pad(x[:, :: self.stride, :: self.stride], ((0, 0), (0, 0), (0, 0), (self.offset, after)))


Layer = Input | Conv | PenniConv | Linear | BatchNorm | Relu | Add | MaxPool | GlobalAvgPool | PadShortcut
