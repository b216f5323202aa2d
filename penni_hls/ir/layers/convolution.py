"""The plain and the decomposed convolution."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .base import MapSpec, OneMap, columns, windowed
from .count import Count, LayerCount


class _Convolution(OneMap):
    """What a plain and a decomposed convolution share: shapes, count and the float reference over the dense weight."""

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

    def _count(self, nonzero: int, bases: int = 0, read_maps: int = 0) -> Count:
        layer = LayerCount(
            inputs=self.x.shape[2],
            outputs=self.channels,
            kernel=self.kernel,
            pixels=self.out_spec.pixels,
            dense=self.channels * self.x.shape[2] * self.kernel**2,
            nonzero=nonzero,
            bases=bases,
            read_maps=read_maps,
        )
        return Count((layer,), 0 if self.bias is None else len(self.bias))


@dataclass(frozen=True, eq=False)
class Conv(_Convolution):
    """A plain convolution. weight: float32 (C_out, C_in, k, k); bias: float32 (C_out,) or None."""

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
    def count(self) -> Count:
        return self._count(int(np.count_nonzero(self.weight)))


@dataclass(frozen=True, eq=False)
class PenniConv(_Convolution):
    """A decomposed convolution, W[o, i] = sum_b coefs[o, i, b] * basis[b].

    basis: float32 (d, k, k); coefs: float32 (C_out, C_in, d); bias: float32 (C_out,) or None.
    """

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
    def count(self) -> Count:
        read_maps = int(np.count_nonzero(self.coefs.any(axis=0)))
        return self._count(int(np.count_nonzero(self.coefs)), len(self.basis), read_maps)
