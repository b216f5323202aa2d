"""The key table: tensors are taken from it by name and shape, and none may be left over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import CheckpointError
from ..ir.graph import Node
from ..ir.layers import BatchNorm, Conv, Layer, Linear, MapSpec, PenniConv
from ..ir.windows import Window
from .settings import Settings

NAMED = 4  # keys that an error names; the others are counted


def some(keys: Iterable[str]) -> str:
    """The first few keys and the number of the others."""
    keys = list(keys)
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more


def dims(shape: Iterable[int | None]) -> str:
    """A shape as text, `16x3x3x3`; None, for any length, as `?`."""
    return "x".join("?" if n is None else str(n) for n in shape) or "scalar"


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file of named tensors holds.

    form: the kind of file, for messages; tensors: float32, by name; settings: those of its modules, by name.
    """

    form: str
    tensors: Mapping[str, np.ndarray]
    settings: Mapping[str, Settings]


class KeyTable:
    """The tensors of a state dict. Each `take` removes one; `finish` is an error where any is left."""

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self._left = dict(tensors)

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def keys(self) -> tuple[str, ...]:
        return tuple(self._left)

    def has_layer(self, name: str) -> bool:
        """True where `name` has a weight, plain or decomposed."""
        return f"{name}.weight" in self or f"{name}.coefs" in self

    def shape(self, key: str) -> tuple[int, ...]:
        if key not in self._left:
            raise CheckpointError(f"{key} is missing")
        return self._left[key].shape

    def take(self, key: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """The tensor `key`, removed. None in `shape` stands for any length."""
        have = self.shape(key)
        if len(have) != len(shape) or any(want not in (None, n) for n, want in zip(have, shape)):
            raise CheckpointError(f"{key} has shape {dims(have)}, but {dims(shape)} is needed")
        return self._left.pop(key)

    def _bias(self, name: str, channels: int) -> np.ndarray | None:
        return self.take(f"{name}.bias", (channels,)) if f"{name}.bias" in self else None

    def kernel(self, name: str) -> int:
        """k of the convolution `name`, plain or decomposed."""
        if f"{name}.coefs" not in self:
            shape = self.shape(f"{name}.weight")
            if len(shape) != 4:
                raise CheckpointError(f"{name}.weight has {len(shape)} dimensions; a convolution has 4")
            return shape[2]
        shape = self.shape(f"{name}.basis")
        k = math.isqrt(shape[1]) if len(shape) == 2 else 0
        if k < 1 or k * k != shape[1] or shape[0] > shape[1]:
            raise CheckpointError(f"{name}.basis has shape {dims(shape)}; (d, k*k) with d at most k*k is needed")
        return k

    def conv(self, name: str, x: MapSpec, stride: int, pad: int) -> Conv | PenniConv:
        """The convolution `name` over the map `x`: `weight`, or `basis` and `coefs` (row o*C_in + i)."""
        k = self.kernel(name)
        c_in = x.shape[2]
        if not Window.of(k, stride, pad).fits(x.shape):
            raise CheckpointError(f"{name}: a {k}x{k} kernel does not fit a {x} map")
        if f"{name}.coefs" not in self:
            weight = self.take(f"{name}.weight", (None, c_in, k, k))
            return Conv(x, weight, stride, pad, self._bias(name, len(weight)))
        basis = self.take(f"{name}.basis", (None, k * k))
        coefs = self.take(f"{name}.coefs", (None, len(basis)))
        if len(coefs) == 0 or len(coefs) % c_in:
            raise CheckpointError(
                f"{name}.coefs has {len(coefs)} rows, which is not a multiple of its {c_in} input channels"
            )
        split = coefs.reshape(-1, c_in, len(basis))
        return PenniConv(x, basis.reshape(-1, k, k), split, stride, pad, self._bias(name, len(split)))

    def batchnorm(self, name: str, x: MapSpec) -> BatchNorm:
        wanted = ("weight", "bias", "running_mean", "running_var")
        gamma, beta, mean, var = (self.take(f"{name}.{part}", (x.shape[2],)) for part in wanted)
        if var.min() < 0:
            raise CheckpointError(f"{name}.running_var has a negative value")
        return BatchNorm(x, gamma, beta, mean, var)

    def linear(self, name: str, x: MapSpec) -> Linear:
        weight = self.take(f"{name}.weight", (None, math.prod(x.shape)))
        return Linear(x, weight, self._bias(name, len(weight)))

    def finish(self) -> None:
        if self._left:
            raise CheckpointError(f"nothing in the network uses {some(self._left)}")


class Builder:
    """The nodes of a graph, in order. By default each reads the map that the one before it gives."""

    def __init__(self) -> None:
        self.nodes: list[Node[Layer]] = []

    def add(self, name: str, op: Layer, *inputs: str) -> str:
        """Append a node, by default reading the one before it; return its name."""
        reads = inputs or ((self.nodes[-1].name,) if self.nodes else ())
        self.nodes.append(Node(name, op, reads))
        return name

    @property
    def last(self) -> str:
        return self.nodes[-1].name

    @property
    def spec(self) -> MapSpec:
        return self.nodes[-1].op.out_spec
