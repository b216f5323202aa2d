"""What every integer operator tells: its shapes, its integers, its hardware. Emitters, benches and reports only ask."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from ..fixed import IntTensor
from ..graph import TensorSpec


@dataclass(frozen=True)
class Folding:
    """How far an operator is folded: q output pixels share each coefficient, p program lanes work at once."""

    q: int = 1
    p: int = 1


@dataclass(frozen=True)
class Resources:
    """FPGA resources in xc7 units: 6-input LUTs, flip-flops, DSP48E1, 36-kbit block RAMs (halves are RAMB18)."""

    lut: float = 0
    ff: float = 0
    dsp: float = 0
    bram36: float = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.lut + other.lut, self.ff + other.ff, self.dsp + other.dsp, self.bram36 + other.bram36)

    def as_dict(self) -> dict[str, float]:
        return {"lut": self.lut, "ff": self.ff, "dsp": self.dsp, "bram36": self.bram36}


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


def address_bits(depth: int) -> int:
    """Bits to address `depth` words; at least 1."""
    return max(1, math.ceil(math.log2(depth)))


LUTRAM_BITS = 4096  # below this many bits (and 256 words) a memory costs less in LUT RAM than half a block RAM


def ram_style(depth: int, width: int) -> str:
    """`distributed` or `block`: where a RAM of this size goes in hardware."""
    return "distributed" if depth <= 64 or depth * width <= LUTRAM_BITS and depth <= 256 else "block"


def in_block_ram(depth: int, width: int) -> int:
    """`ram_style` as a hardware parameter: 1 for block RAM."""
    return int(ram_style(depth, width) == "block")


def rom_in_block_ram(depth: int) -> int:
    """Likewise for a ROM: a bit of up to 64 words is one LUT; of deeper ones, with contents that look random, five or more."""
    return int(depth > 64)


def rom_cost(depth: int, width: int) -> Resources:
    if rom_in_block_ram(depth):
        return Resources(bram36=block_rams(depth, width))
    return Resources(lut=ROM_LUTS_PER_BIT * width * (depth > 2))


ROM_LUTS_PER_BIT = 1.7  # as yosys maps them, registers' enables and all


def ram_cost(depth: int, width: int) -> Resources:
    """A simple dual-port RAM: RAM64M (3 bits x 64 words in 4 LUTs) or RAMB18/RAMB36 by the widths they come in."""
    if ram_style(depth, width) == "distributed":
        if depth <= 32:
            return Resources(lut=4 * math.ceil(width / 6))
        return Resources(lut=4 * math.ceil(width / 3) * math.ceil(depth / 64) + (width if depth > 64 else 0))
    return Resources(bram36=block_rams(depth, width))


def block_rams(depth: int, width: int) -> float:
    """RAMB36 for a simple dual-port RAM of depth x width: columns of one shape, the best of the shapes that exist."""
    shapes = ((512, 72, 1.0), (1024, 36, 1.0), (2048, 18, 1.0), (4096, 9, 1.0), (8192, 4, 1.0), (16384, 2, 1.0))
    halves = tuple((d, w // 2, 0.5) for d, w, _ in shapes)
    best = math.inf
    for d, w, unit in shapes + halves:
        best = min(best, unit * math.ceil(depth / d) * math.ceil(width / w))
    return best


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
