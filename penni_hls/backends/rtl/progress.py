"""How far a running simulation is: the bench writes it to a file, which is read here while the simulator runs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..result import Stage

EVERY = 2.0  # seconds


@contextmanager
def told(file: Path, phases: Sequence[str], cycles: int, stage: Stage) -> Iterator[None]:
    """While the block runs, tell `stage` the phase, the part that is done and the time left, as `file` has it.

    cycles: predicted for each phase; 0: nothing is told.
    """
    ended, start = threading.Event(), time.monotonic()

    def watch() -> None:
        while not ended.wait(EVERY):
            try:
                now = json.loads(file.read_text())
            except (OSError, ValueError):
                continue
            stage(line(now["number"], now["cycles"] / cycles, phases, time.monotonic() - start))

    thread = threading.Thread(target=watch, daemon=True)
    if cycles:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if cycles:
            thread.join()


def line(number: int, share: float, phases: Sequence[str], seconds: float) -> str:
    """number: of the phase, from 0; share: of it that is done; seconds: passed since the first one began."""
    share = min(share, 0.99)
    done = (number + share) / len(phases)
    text = f"simulating, pass {number + 1} of {len(phases)} ({phases[number]}): {100 * share:.0f} %"
    if seconds < 5 or done < 0.01:
        return text
    left = seconds * (1 - done) / done
    return f"{text}, about {f'{left:.0f} s' if left < 100 else f'{left / 60:.0f} min'} left"
