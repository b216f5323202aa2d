"""What every integer operator tells: its shapes, its integers, its hardware. Schedule, backends and reports only ask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

from ...target.resources import Resources
from ..fixed import IntTensor
from ..graph import TensorSpec
from ..streams import Port, Stream
from .adder_graph import RoundedSums
from .external import External
from .memory import Memory


@dataclass(frozen=True)
class Folding:
    """The choices that make hardware of an operator, one named field each.

    q: output pixels that share each coefficient. p: program lanes that work at once. An operator with further choices
    (where a memory lies, how a product is made) offers a subclass with a field for each.
    """

    q: int = 1
    p: int = 1

    def choices(self) -> dict[str, int | str]:
        """Every choice by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Operator(ABC):
    """The base of the integer vocabulary. `kind` names an operator's files in hw/rtl, hw/hls and the tests.

    A property or method that is not abstract has the answer of most operators; the others override it.
    """

    kind: ClassVar[str]
    hardware: ClassVar[bool] = True  # False: no module of its own, but ports of the top
    input_names: ClassVar[tuple[str, ...]] = ("in",)  # of the module's inputs, in the order of `in_specs`

    # ---- integers --------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def in_specs(self) -> tuple[TensorSpec, ...]:
        """What each input carries."""

    @property
    @abstractmethod
    def out_spec(self) -> TensorSpec:
        """What the output carries."""

    @abstractmethod
    def reference(self, *inputs: IntTensor) -> IntTensor:
        """The operator in exact integers; values (N, *spec.shape) in and out."""

    def check_input(self, *inputs: IntTensor) -> None:
        """Raise ValueError unless the tensors are what the operator declares it takes."""
        for spec, tensor in zip(self.in_specs, inputs, strict=True):
            if tensor.qtype != spec.qtype or tensor.values.shape[1:] != spec.shape:
                raise ValueError(f"{self.kind}: takes {spec}, got {tensor.values.shape[1:]} {tensor.qtype}")

    # ---- streams ---------------------------------------------------------------------------------------------------

    @property
    def readers(self) -> int:
        """Operators that the output feeds: each has an output port of its own."""
        return 1

    def inputs(self, folding: Folding) -> tuple[Port, ...]:
        """The input ports in use, in the order of `in_specs`."""
        pairs = zip(self.input_names, self.in_specs)
        return tuple(Port(name, Stream.of(spec, folding.q)) for name, spec in pairs)

    def unused_inputs(self) -> tuple[str, ...]:
        """Inputs of the module that this operator leaves open."""
        return self.input_names[len(self.in_specs) :]

    def outputs(self, folding: Folding) -> tuple[Port, ...]:
        """The output ports: the same words at each."""
        stream = Stream.of(self.out_spec, folding.q)
        names = ("out",) if self.readers == 1 else tuple(f"out{i}" for i in range(self.readers))
        return tuple(Port(name, stream) for name in names)

    def externals(self, folding: Folding) -> tuple[External, ...]:
        """Ports that the operator brings to the top of the accelerator."""
        return ()

    # ---- hardware --------------------------------------------------------------------------------------------------

    def foldings(self) -> tuple[Folding, ...]:
        """Every folding the hardware can be built with."""
        return (self.folding(),)

    def folding(self, q: int = 1, p: int = 1) -> Folding:
        """The folding for these q and p, all other choices made as they cost least."""
        return Folding(q, p)

    @abstractmethod
    def cycles(self, folding: Folding) -> int:
        """Clock cycles between two frames in the steady state, when neither input nor output makes it wait."""

    @abstractmethod
    def cost(self, folding: Folding) -> Resources:
        """Estimated resources."""

    @abstractmethod
    def parameters(self, folding: Folding) -> dict[str, int]:
        """Hardware parameters, by the name they have in both hw/rtl and hw/hls."""

    def memories(self, folding: Folding) -> dict[str, Memory]:
        """Memory images, by the name they have in both hw/rtl and hw/hls."""
        return {}

    @property
    def sums(self) -> RoundedSums | None:
        """The constant sums that a generated submodule computes for the operator; None where it has no such part."""
        return None

    def multipliers(self, folding: Folding) -> int:
        """Multiply-accumulators that work side by side."""
        return 0

    @property
    def products(self) -> int:
        """Multiplications of one image that the multiply-accumulators do."""
        return 0

    def held_pixels(self, folding: Folding) -> float:
        """Output pixels' worth of the first input that the hardware can take in before it must give out any.

        Of further inputs it holds nothing.
        """
        return 1

    @property
    def burst(self) -> int:
        """Words that come out as fast as input goes in, before a pause; 0 where output is as even as input."""
        return 0
