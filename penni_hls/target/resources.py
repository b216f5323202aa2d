"""The resources of a device, or those that a design uses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Resources:
    """FPGA resources in xc7 units: 6-input LUTs, flip-flops, DSP48E1, 36-kbit block RAMs (halves are RAMB18),
    and UltraRAMs of 288 kbit."""

    lut: float = 0
    ff: float = 0
    dsp: float = 0
    bram36: float = 0
    uram: float = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            self.lut + other.lut, self.ff + other.ff, self.dsp + other.dsp, self.bram36 + other.bram36,
            self.uram + other.uram,
        )  # fmt: skip

    @classmethod
    def of(cls, *parts: Resources) -> Resources:
        """The sum of the parts."""
        lut = ff = dsp = bram36 = uram = 0.0
        for part in parts:
            lut, ff, dsp = lut + part.lut, ff + part.ff, dsp + part.dsp
            bram36, uram = bram36 + part.bram36, uram + part.uram
        return cls(lut, ff, dsp, bram36, uram)

    def times(self, count: float) -> Resources:
        return Resources(self.lut * count, self.ff * count, self.dsp * count, self.bram36 * count, self.uram * count)

    def as_dict(self) -> dict[str, float]:
        return {"lut": self.lut, "ff": self.ff, "dsp": self.dsp, "bram36": self.bram36, "uram": self.uram}
