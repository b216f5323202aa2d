"""The plain and the decomposed convolution, each also in groups of channels (depthwise: as many as channels)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..windows import Pair, Sides, Window, short
from .base import MapSpec, OneMap, columns, windowed
from .count import Count, LayerCount


class _Convolution(OneMap):
    """What a plain and a decomposed convolution share: shapes, count and the float reference over the dense weight.

    Group g of the output channels reads group g of the input channels only; both are split evenly, in order.
    """

    stride: Pair
    pad: Sides
    bias: np.ndarray | None

    @property
    def groups(self) -> int:
        return 1

    @property
    @abstractmethod
    def channels(self) -> int: ...

    @property
    @abstractmethod
    def kernel(self) -> Pair: ...

    @property
    @abstractmethod
    def dense(self) -> np.ndarray:
        """The dense weight, float32 (C_out, C_in/groups, kh, kw)."""

    @cached_property
    def window(self) -> Window:
        return Window.of(self.kernel, self.stride, self.pad)

    @property
    def out_spec(self) -> MapSpec:
        return windowed(self.x, self.window, self.channels)

    def block_diagonal(self, rows: np.ndarray) -> np.ndarray:
        """rows (C_out, C_in/groups, ...) -> (C_out, C_in, ...), zeros outside the group of each row; same dtype."""
        if self.groups == 1:
            return rows
        channels, inputs = rows.shape[:2]
        blocks = np.zeros((self.groups, channels // self.groups, self.groups, *rows.shape[1:]), rows.dtype)
        for g, block in enumerate(rows.reshape(self.groups, -1, *rows.shape[1:])):
            blocks[g, :, g] = block
        return blocks.reshape(channels, self.groups * inputs, *rows.shape[2:])

    def _check_groups(self, rows: np.ndarray) -> bool:
        """Do rows (C_out, C_in/groups, ...) go with the map and the groups?"""
        sound = self.groups >= 1 and len(rows) % self.groups == 0
        return sound and rows.shape[1] * self.groups == self.x.shape[2]

    @cached_property
    def _matrices(self) -> list[np.ndarray]:
        """For each group (kh*kw*C_in/groups, C_out/groups), rows in the order of `columns`."""
        blocks = np.split(self.dense, self.groups)
        return [np.ascontiguousarray(b.transpose(2, 3, 1, 0).reshape(-1, len(b))) for b in blocks]

    def reference(self, x: np.ndarray) -> np.ndarray:
        """x (N, H, W, C_in) -> (N, Ho, Wo, C_out) float32."""
        window = self.window
        if window.taps == 1 and not window.padded:
            taps = x[:, :: window.stride[0], :: window.stride[1]]
        else:
            taps = columns(x, window)
        grouped = taps.reshape(-1, window.taps, self.groups, self.x.shape[2] // self.groups)
        parts = [grouped[:, :, g].reshape(len(grouped), -1) @ matrix for g, matrix in enumerate(self._matrices)]
        y = np.concatenate(parts, axis=1)
        if self.bias is not None:
            y += self.bias
        return y.reshape(len(x), *self.out_spec.shape)

    def _count(self, nonzero: int, bases: int = 0, read_maps: int = 0) -> Count:
        layer = LayerCount(
            inputs=self.x.shape[2],
            outputs=self.channels,
            kernel=self.window.kernel,
            pixels=self.out_spec.pixels,
            dense=self.channels * (self.x.shape[2] // self.groups) * self.window.taps,
            nonzero=nonzero,
            bases=bases,
            read_maps=read_maps,
        )
        return Count((layer,), 0 if self.bias is None else len(self.bias))


@dataclass(frozen=True, eq=False)
class Conv(_Convolution):
    """A plain convolution. weight: float32 (C_out, C_in, kh, kw); bias: float32 (C_out,) or None."""

    weight: np.ndarray
    stride: Pair = 1
    pad: Sides = 0
    bias: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = self.weight.shape
        if len(shape) != 4 or not self._check_groups(self.weight):
            raise ValueError(f"conv: weight {shape}, groups {self.groups} do not go with a {self.x} map")

    @property
    def dense(self) -> np.ndarray:
        return self.weight

    @property
    def channels(self) -> int:
        return self.weight.shape[0]

    @property
    def kernel(self) -> Pair:
        return short(self.weight.shape[2:])  # type: ignore[return-value]

    @property
    def count(self) -> Count:
        return self._count(int(np.count_nonzero(self.weight)))


@dataclass(frozen=True, eq=False)
class PenniConv(_Convolution):
    """A decomposed convolution, W[o, i] = sum_b coefs[o, i, b] * basis[b].

    basis: float32 (d, kh, kw); coefs: float32 (C_out, C_in, d); bias: float32 (C_out,) or None.
    """

    basis: np.ndarray
    coefs: np.ndarray
    stride: Pair = 1
    pad: Sides = 0
    bias: np.ndarray | None = None

    def __post_init__(self) -> None:
        d, _, _ = self.basis.shape
        if self.coefs.ndim != 3 or self.coefs.shape[2] != d or not self._check_groups(self.coefs):
            raise ValueError(
                f"penni conv: basis {self.basis.shape}, coefs {self.coefs.shape}, groups {self.groups} do not go with a"
                f" {self.x} map"
            )

    def weight(self) -> np.ndarray:
        """The dense weight, float32 (C_out, C_in/groups, kh, kw)."""
        return self.dense

    @cached_property
    def dense(self) -> np.ndarray:
        # Not a BLAS product, whose last bits depend on the machine.
        return np.einsum("oib,bkl->oikl", self.coefs, self.basis, dtype=np.float64).astype(np.float32)

    @property
    def channels(self) -> int:
        return self.coefs.shape[0]

    @property
    def kernel(self) -> Pair:
        return short(self.basis.shape[1:])  # type: ignore[return-value]

    @property
    def count(self) -> Count:
        by_group = self.coefs.reshape(self.groups, -1, *self.coefs.shape[1:])
        read_maps = int(np.count_nonzero(by_group.any(axis=1)))
        return self._count(int(np.count_nonzero(self.coefs)), len(self.basis), read_maps)


@dataclass(frozen=True, eq=False)
class GroupedConv(Conv):
    """A plain convolution in groups. weight: float32 (C_out, C_in/groups, kh, kw)."""

    groups: int = 1


@dataclass(frozen=True, eq=False)
class GroupedPenniConv(PenniConv):
    """A decomposed convolution in groups. coefs: float32 (C_out, C_in/groups, d); all groups share the bases."""

    groups: int = 1
