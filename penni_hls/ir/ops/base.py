"""What every integer operator tells: its shapes, its integers, its hardware. Schedule, backends and reports only ask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cache
from typing import ClassVar

import numpy as np

from ...target.fabric import Fabric
from ...target.memory import MemoryStyle
from ...target.resources import Resources
from ..fixed import IntTensor
from ..graph import TensorSpec
from ..streams import Port, Stream
from .adder_graph import RoundedSums
from .cpp_loops import called
from .external import External
from .memory import Memory
from .process import Blocks, Part
from .timing import Timing


@dataclass(frozen=True)
class Folding:
    """The choices that make hardware of an operator, one named field each.

    q: output pixels that share each coefficient. p: program lanes that work at once. An operator with further choices
    (where a memory lies, how a product is made) offers a subclass with a field for each, and names in `untimed` those
    that change neither the streams nor, but for `latency`, the timing.
    """

    untimed: ClassVar[tuple[str, ...]] = ()

    q: int = 1
    p: int = 1

    @property
    def timed(self) -> tuple[int | str, ...]:
        """The choices that may change streams and timing: where they are equal, an operator is as fast."""
        return tuple(getattr(self, name) for name in _timed(type(self)))

    def choices(self) -> dict[str, int | str]:
        """Every choice by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@cache
def _timed(folding: type[Folding]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(folding) if field.name not in folding.untimed)


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

    @property
    def weight_bits(self) -> int | None:
        """Bits of its basis kernels or coefficients; None where it has none."""
        return None

    @property
    def weights(self) -> np.ndarray | None:
        """Its basis kernels or coefficients, (rows, columns), a row for each output; None where `weight_bits` is."""
        return None

    @abstractmethod
    def reference(self, *inputs: IntTensor) -> IntTensor:
        """The operator in exact integers; values (N, *spec.shape) in and out."""

    def given(self, value: IntTensor, reader: int) -> IntTensor:
        """Of the values that `reference` gives, those that reader number `reader` gets."""
        return value

    def check_input(self, *inputs: IntTensor) -> None:
        """Raise ValueError unless the tensors are what the operator declares it takes."""
        for spec, tensor in zip(self.in_specs, inputs, strict=True):
            if tensor.qtype != spec.qtype or tensor.values.shape[1:] != spec.shape:
                raise ValueError(f"{self.kind}: takes {spec}, got {tensor.values.shape[1:]} {tensor.qtype}")

    # ---- images ----------------------------------------------------------------------------------------------------

    @property
    def takes(self) -> int:
        """Images of each input that make a frame: what `timing` describes, and a call of the C++ takes."""
        return 1

    @property
    def gives(self) -> int:
        """Images that each output gives per frame."""
        return 1

    def images_out(self, images: tuple[int, ...], reader: int) -> int:
        """How many images reader number `reader` gets, of so many at the inputs."""
        return images[0]

    # ---- streams ---------------------------------------------------------------------------------------------------

    @property
    def readers(self) -> int:
        """Operators that the output feeds: each has an output port of its own."""
        return 1

    @property
    def values_in(self) -> int:
        """Values of a map that an input takes in a beat."""
        return 1

    @property
    def values_out(self) -> int:
        """Values of a map that the output gives in a beat."""
        return 1

    def inputs(self, folding: Folding) -> tuple[Port, ...]:
        """The input ports in use, in the order of `in_specs`."""
        pairs = zip(self.input_names, self.in_specs)
        return tuple(Port(name, Stream.of(spec, folding.q, self.values_in)) for name, spec in pairs)

    def unused_inputs(self) -> tuple[str, ...]:
        """Inputs of the module that this operator leaves open."""
        return self.input_names[len(self.in_specs) :]

    def outputs(self, folding: Folding) -> tuple[Port, ...]:
        """The output ports: the same words at each."""
        stream = Stream.of(self.out_spec, folding.q, self.values_out)
        names = ("out",) if self.readers == 1 else tuple(f"out{i}" for i in range(self.readers))
        return tuple(Port(name, stream) for name in names)

    def externals(self, folding: Folding) -> tuple[External, ...]:
        """Ports that the operator brings to the top of the accelerator."""
        return ()

    # ---- hardware --------------------------------------------------------------------------------------------------

    def foldings(self, fabric: Fabric) -> tuple[Folding, ...]:
        """Every folding that hardware of `fabric` can be built with."""
        return (self.folding(),)

    def folding(self, q: int = 1, p: int = 1) -> Folding:
        """The folding for these q and p, all other choices made as they cost least."""
        return Folding(q, p)

    @abstractmethod
    def timing(self, folding: Folding) -> Timing:
        """When the RTL takes and gives beats; by the names of its ports."""

    def in_turn(self, folding: Folding) -> Timing:
        """The same for the C++ as Vitis HLS would build it."""
        return called(self.timing(folding))

    def cycles(self, folding: Folding) -> int:
        """Clock cycles between two frames, at least, where it need not wait for other operators."""
        return self.timing(folding).cycles()

    @abstractmethod
    def cost(self, folding: Folding) -> Resources:
        """Estimated resources."""

    @abstractmethod
    def parameters(self, folding: Folding) -> dict[str, int]:
        """Hardware parameters, by the name they have in both hw/rtl and hw/hls."""

    def memories(self, folding: Folding) -> dict[str, Memory]:
        """Memory images, by the name they have in both hw/rtl and hw/hls."""
        return {}

    def rom_styles(self, folding: Folding) -> dict[str, MemoryStyle]:
        """Where those of its memories lie of which the folding says so."""
        return {}

    def cpp_parameters(self, folding: Folding) -> dict[str, int]:
        """Constants that only hw/hls has."""
        return {}

    def blocks(self, folding: Folding) -> tuple[Blocks, ...]:
        """The memories between its processes in C++."""
        return ()

    def parts(self, folding: Folding) -> tuple[Part, ...]:
        """Its processes in C++; () where it is one, the function `penni::<module>`."""
        return ()

    def module(self, folding: Folding) -> str:
        """The name of its module in hw/rtl and function in hw/hls, without `penni_`: most operators have one."""
        return self.kind

    def loop_intervals(self, folding: Folding) -> dict[str, int]:
        """Of the C++: cycles between two iterations of its pipelined loops, by the function that they are in, where it is
        not one."""
        return {}

    def sums(self, folding: Folding) -> RoundedSums | None:
        """The constant sums that a generated submodule computes for the operator; None where it has no such part."""
        return None

    def multipliers(self, folding: Folding) -> int:
        """Multiply-accumulators that work side by side."""
        return 0

    @property
    def products(self) -> int:
        """Multiplications of one image that the multiply-accumulators do."""
        return 0
