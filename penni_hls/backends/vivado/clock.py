"""The highest clock at which a design meets timing: builds at one clock after the other.

A processor makes its logic's clock by dividing a PLL's, so only some clocks are to be had; those are tried, and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .build import Build

# The PLL that feeds the logic's first clock, in MHz, as Vivado sets it up on every board that is known here: the I/O PLL.
PLLS = {"zynq7": 1000.0, "zynqmp": 1500.0, "none": None}
LOWEST, HIGHEST = 25.0, 400.0  # MHz
STEP = 0.02  # a bare part has any clock: the search ends where the next is nearer than this part
MOST = 8  # builds


@dataclass(frozen=True)
class Try:
    """One build. slack: the worst of setup in ns, None where it failed otherwise."""

    clock_mhz: float
    slack: float | None
    met: bool


def clocks(processor: str, clock: float) -> tuple[float, ...]:
    """The clocks that are to be had, in rising order, in MHz; for a bare part a row around `clock`."""
    pll = PLLS[processor]
    if pll is None:
        found = [clock * (1 + STEP) ** step for step in range(-80, 81)]
    else:
        found = [pll / divisor for divisor in range(1, 64)]
    return tuple(sorted({round(mhz, 3) for mhz in found if LOWEST <= mhz <= HIGHEST}))


def search(offered: Sequence[float], start: float, attempt: Callable[[float], Build]) -> tuple[Build, tuple[Try, ...]]:
    """Build at the offered clocks, `start` or the next lower first, until the one above the best is known to fail. -> the
    build at the highest clock that met timing, or the last failed one where none did; every attempt.

    The worst path of a build says which clock to try next: the highest one that it would meet, but always a new one. A design
    that does not fit ends the search.
    """
    tried: dict[float, Build] = {}
    best: Build | None = None
    low, high = -1, len(offered)  # indices: met, and failed
    index = max((i for i, mhz in enumerate(offered) if mhz <= start * (1 + 1e-6)), default=0)
    while len(tried) < MOST:
        built = tried[offered[index]] = attempt(offered[index])
        if built.problem is None:
            best, low = built, index
        elif built.timing is None or built.timing.met:  # too large: at any clock
            break
        else:
            high = index
        if high - low <= 1:
            break
        reach = built.fmax or offered[index]
        guess = max((i for i, mhz in enumerate(offered) if mhz <= reach), default=0)
        index = min(max(guess, low + 1), high - 1)
    steps = tuple(
        Try(mhz, built.timing.setup if built.timing else None, built.problem is None) for mhz, built in tried.items()
    )
    return best or list(tried.values())[-1], steps
