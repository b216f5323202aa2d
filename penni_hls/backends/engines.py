"""The engines, registered once: commands, defaults and dispatch follow from here."""

from __future__ import annotations

from ..errors import UsageError
from .board.system import SYSTEM
from .engine import Engine, Option
from .hls.csim import CSIM
from .hls.engine import HLS
from .reference import REFERENCE
from .result import Mismatch, Simulation
from .rtl.engine import RTL

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (REFERENCE, CSIM, RTL, HLS, SYSTEM)}

__all__ = ["ENGINES", "Engine", "Mismatch", "Option", "Simulation", "engine_of", "options"]


def engine_of(name: str, given: dict[str, object]) -> Engine:
    """The engine `name`; UsageError where it is not known or does not take an option of `given` that is set."""
    engine = ENGINES.get(name)
    if engine is None:
        raise UsageError(f"engine '{name}' is not known; there are {', '.join(ENGINES)}")
    takers = options()
    for option, value in given.items():
        if option not in {known.name for known in takers}:
            raise UsageError(f"no engine takes an option '{option}'; there are {', '.join(o.name for o in takers)}")
        if value and option not in {own.name for own in engine.options}:
            known, of = next((known, of) for known, of in takers.items() if known.name == option)
            raise UsageError(f"{known.flag} goes with --engine {' or '.join(of)}, not {name}")
    return engine


def options() -> dict[Option, tuple[str, ...]]:
    """Every engine's options, in order, with the names of the engines that take them."""
    found: dict[Option, tuple[str, ...]] = {}
    for engine in ENGINES.values():
        for option in engine.options:
            found[option] = (*found.get(option, ()), engine.name)
    return found
