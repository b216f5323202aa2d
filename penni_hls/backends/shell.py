"""What surrounds the network on a board, whichever backend the network is from: choices, and what follows from a schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import UsageError
from ..schedule import Schedule
from ..target.resources import Resources

ACCELERATOR = "penni_accelerator"
INPUT_BITS = (8, 32, 64)


@dataclass(frozen=True)
class Shell:
    """input_bits: of the pixels' AXI4-Stream. counters: each operator has counters of its own."""

    input_bits: int = 32
    counters: bool = False

    def __post_init__(self) -> None:
        if self.input_bits not in INPUT_BITS:
            raise UsageError(
                f"a stream of {self.input_bits} bits for the pixels: take {', '.join(map(str, INPUT_BITS[:-1]))}"
                f" or {INPUT_BITS[-1]} bits"
            )

    def cost(self, operators: int) -> Resources:
        """What penni_shell takes beside a network of so many operators, by yosys. The estimate of the network is without
        it: the rest of the system has to pay for it, too."""
        counted = operators if self.counters else 0
        return Resources(
            lut=394 + 2.5 * self.input_bits + 33 * counted, ff=589 + 3.375 * self.input_bits + 67 * counted
        )


def images_in_flight(schedule: Schedule) -> int:
    """Images that may be in the network at a time, a power of two; with more, the next one waits at its last pixel.

    The model of the pipeline tells how many there are while nothing waits; the factor of two is for FIFOs that fill. A call
    of the C++ takes as many images as there are copies.
    """
    most = 2 * math.ceil(schedule.prediction.latency / schedule.cycles_per_image) + schedule.copies
    return max(16, 1 << most.bit_length())
