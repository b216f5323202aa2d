"""What the cells of an FPGA family can do, as far as operators choose their hardware by it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fabric:
    """name: of the family, as board files give it. preadder_bits: of a DSP slice's pre-adder, and of the wider factor of
    its multiplier. uram: whether there is UltraRAM."""

    name: str
    preadder_bits: int
    uram: bool = False


SERIES7 = Fabric("7series", preadder_bits=25)  # DSP48E1
ULTRASCALE = Fabric("ultrascale+", preadder_bits=27)  # DSP48E2
FABRICS = {fabric.name: fabric for fabric in (SERIES7, ULTRASCALE)}
