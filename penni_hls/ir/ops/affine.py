"""affine: y[p,c] = sat(rshift(x[p,c]*M[c] + skip[p,c]*K + bias[c], S), Y).

It computes what has no convolution to go with: BatchNorm, multiplication by and addition of constants, the addition of
two maps, another scale or width of a map.
Hardware: a ROM of constants that the channels walk, one multiplier (and one for the skip connection), an adder, a
saturation; a register between each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ...target.memory import BLOCK, MemoryStyle, address_bits, rom_cost, rom_style
from ...target.resources import Resources
from ..fixed import SIGNED_MULTIPLIER, IntTensor, QType, SignedRequant, smallest_qtype
from ..graph import TensorSpec
from .base import Folding, Operator
from .memory import Memory, to_word
from .timing import Stage, Step, Timing

STAGES = 5  # registers between input and output
MAX_BITS = 60 - SIGNED_MULTIPLIER.bits  # of what is multiplied: the sum of both products and the bias has 62 at most


@dataclass(frozen=True)
class AffineFolding(Folding):
    """Where the constants of the requantizer lie."""

    requant: MemoryStyle = BLOCK


@dataclass(frozen=True, eq=False)
class Affine(Operator):
    """x: the map read. requant: its constants, one multiplier and bias per channel. skip: the map that is added."""

    x: TensorSpec
    requant: SignedRequant
    skip: TensorSpec | None = None

    kind: ClassVar[str] = "affine"
    input_names: ClassVar[tuple[str, ...]] = ("in", "skip")

    def __post_init__(self) -> None:
        if self.x.tiled or not len(self.requant.multiplier) == len(self.requant.bias) == self.x.shape[2]:
            raise ValueError(f"affine: {len(self.requant.multiplier)} multipliers do not go with a {self.x} map")
        if self.skip is not None and self.skip.shape != self.x.shape:
            raise ValueError(f"affine: the skip connection {self.skip} does not match {self.x}")
        if (self.skip is None) != (self.requant.skip_multiplier == 0):
            raise ValueError("affine: a skip connection needs a multiplier, and nothing else does")
        for spec in self.in_specs:
            if spec.qtype.bits > MAX_BITS:
                raise ValueError(f"affine: it reads {spec}; {MAX_BITS} bits are possible")

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,) if self.skip is None else (self.x, self.skip)

    @property
    def out_spec(self) -> TensorSpec:
        return TensorSpec(self.x.shape, self.requant.out)

    @cached_property
    def total_type(self) -> QType:
        """The type of x*M + skip*K + bias + rounding."""
        ends = np.stack([self.requant.multiplier * end for end in (self.x.qtype.lo, self.x.qtype.hi)])
        lo, hi = (end + self.requant.rounded_bias() for end in (ends.min(0), ends.max(0)))
        if self.skip is not None:
            lo = lo + self.skip.qtype.lo * self.requant.skip_multiplier
            hi = hi + self.skip.qtype.hi * self.requant.skip_multiplier
        return smallest_qtype(min(-1, int(lo.min())), int(hi.max()))

    def reference(self, x: IntTensor, skip: IntTensor | None = None) -> IntTensor:
        """x, skip (N, H, W, C) -> y (N, H, W, C)."""
        self.check_input(*((x,) if skip is None else (x, skip)))
        return IntTensor(self.requant.apply(x.values, None if skip is None else skip.values), self.requant.out)

    def folding(self, q: int = 1, p: int = 1) -> AffineFolding:
        return AffineFolding(q, p, rom_style(self.x.shape[2]))

    def timing(self, folding: Folding) -> Timing:
        beats = math.prod(self.x.shape)
        takes = tuple((port.name, beats) for port in self.inputs(folding))
        return Timing((Stage("scale", ((1, Step(beats, takes, (("out", beats),))),)),), latency=STAGES)

    def _bias_bits(self) -> int:
        bias = self.requant.rounded_bias()
        return smallest_qtype(min(-1, int(bias.min())), int(bias.max())).bits

    def cost(self, folding: AffineFolding) -> Resources:
        """One DSP for M and one for K, two for what is wider than 24 bits. The rest was fitted to yosys, with and
        without a skip connection on nine maps of 3 to 200 channels; the bias is added in the DSP of K, if any."""
        c, width, y_bits = self.x.shape[2], SIGNED_MULTIPLIER.bits + self._bias_bits(), self.requant.out.bits
        wide = [spec.qtype.bits > 24 for spec in self.in_specs]
        bias = self._bias_bits()  # in flip-flops, behind a ROM in LUTs twice; M is in the DSP
        registers = 6 + address_bits(c) + 2 * y_bits + (0 if self.skip else bias) + bias * (folding.requant != BLOCK)
        logic = Resources(
            lut=1.5 * y_bits + 4 + self.total_type.bits * sum(wide), ff=registers, dsp=len(wide) + sum(wide)
        )
        return logic + rom_cost(c, width, folding.requant)

    def parameters(self, folding: AffineFolding) -> dict[str, int]:
        skip = self.skip.qtype if self.skip else QType(1, False)
        return {
            "PIXELS": self.x.pixels, "C": self.x.shape[2], "XW": self.x.qtype.bits,
            "X_SIGNED": int(self.x.qtype.signed), "MW": SIGNED_MULTIPLIER.bits, "BW": self._bias_bits(),
            "TOTALW": self.total_type.bits, "SHIFT": self.requant.shift, "YW": self.requant.out.bits,
            "Y_SIGNED": int(self.requant.out.signed), "SKIP": int(self.skip is not None), "SKIPW": skip.bits,
            "SKIP_SIGNED": int(skip.signed), "SKIP_K": self.requant.skip_multiplier,
            "REQUANT_BLOCK": int(folding.requant == BLOCK),
        }  # fmt: skip

    def rom_styles(self, folding: AffineFolding) -> dict[str, MemoryStyle]:
        return {"requant": folding.requant}

    def memories(self, folding: Folding) -> dict[str, Memory]:
        """requant: per channel {bias with its rounding half, multiplier}, the multiplier lowest."""
        mw, bw = SIGNED_MULTIPLIER.bits, self._bias_bits()
        pairs = zip(self.requant.multiplier, self.requant.rounded_bias())
        return {"requant": Memory(mw + bw, tuple(to_word(((m, mw), (b, bw))) for m, b in pairs))}
