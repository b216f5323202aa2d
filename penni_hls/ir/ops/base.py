"""What every integer operator tells: its shapes, its integers, its hardware. Emitters, benches and reports only ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from ...target.resources import Resources
from ..fixed import IntTensor
from ..graph import TensorSpec


@dataclass(frozen=True)
class Folding:
    """How far an operator is folded: q output pixels share each coefficient, p program lanes work at once."""

    q: int = 1
    p: int = 1


@dataclass(frozen=True)
class Memory:
    """A read-only memory image: `words` are non-negative integers of `width` bits, address 0 first."""

    width: int
    words: tuple[int, ...]

    @property
    def depth(self) -> int:
        return len(self.words)

    def hex(self) -> str:
        """The image as $readmemh reads it: one word a line."""
        digits = (self.width + 3) // 4
        return "".join(f"{word:0{digits}x}\n" for word in self.words)


class HardwareOp(Protocol):
    """The protocol of the integer vocabulary. `stem` names the operator's files on every shelf."""

    stem: ClassVar[str]

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def out_spec(self) -> TensorSpec: ...

    def reference(self, *inputs: IntTensor) -> IntTensor:
        """The operator in exact integers; values (N, *spec.shape) in and out."""

    def foldings(self) -> tuple[Folding, ...]:
        """Every folding the hardware can be built with."""

    def cycles(self, folding: Folding) -> int:
        """Clock cycles between two frames in the steady state, when neither input nor output makes it wait."""

    def cost(self, folding: Folding) -> Resources:
        """Estimated resources."""

    def held_pixels(self, folding: Folding) -> float:
        """Output pixels' worth of input that the hardware can take in before it must give out any."""

    @property
    def burst(self) -> int:
        """Words that come out as fast as input goes in, before a pause; 0 where output is as even as input."""

    def parameters(self, folding: Folding) -> dict[str, int]:
        """Hardware parameters, by the name they have in both hw/rtl and hw/hls."""

    def memories(self, folding: Folding) -> dict[str, Memory]:
        """Memory images, by the name they have in both hw/rtl and hw/hls."""


def to_word(fields: tuple[tuple[int, int], ...]) -> int:
    """Pack (value, width) pairs into one word, the first in the lowest bits; values are taken modulo 2^width."""
    word = at = 0
    for value, width in fields:
        word |= (int(value) & ((1 << width) - 1)) << at
        at += width
    return word


def check_input(op: HardwareOp, inputs: tuple[IntTensor, ...]) -> None:
    """Raise ValueError unless the tensors are what `op` declares it takes."""
    for spec, tensor in zip(op.in_specs, inputs, strict=True):
        if tensor.qtype != spec.qtype or tensor.values.shape[1:] != spec.shape:
            raise ValueError(f"{op.stem}: takes {spec}, got {tensor.values.shape[1:]} {tensor.qtype}")


def matmul_exact(a: np.ndarray, b: np.ndarray, bound: int) -> np.ndarray:
    """a @ b of integers, in the cheapest dtype that is exact for sums of magnitude up to `bound`."""
    from ..fixed import exact_dtype

    dtype = exact_dtype(bound)
    return a.astype(dtype, copy=False) @ b.astype(dtype, copy=False)
