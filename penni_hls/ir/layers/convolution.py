"""The plain and the decomposed convolution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .base import MapSpec, Size, columns, count_nonzeros, windowed


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
        return windowed(self.x, self.kernel, self.stride, self.pad, self.channels)

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
        return Size(dense + biases, nonzeros + count_nonzeros(self.bias), dense * pixels, basis_macs, sparse * pixels)


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
        used = count_nonzeros(self.weight)
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
        used = count_nonzeros(self.coefs)
        return self._size(used + count_nonzeros(self.basis), maps * self.kernel**2 * self.out_spec.pixels, used)
