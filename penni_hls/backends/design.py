"""What the backends emit a project from."""

from __future__ import annotations

from dataclasses import dataclass

from ..schedule import Schedule


@dataclass(frozen=True, eq=False)
class Design:
    """A planned network with its name and what people are told of it.

    network: one line that describes it. logit_scale: what one step of the results is worth. notes: what the user should
    know of how the numbers were chosen.
    """

    name: str
    network: str
    schedule: Schedule
    logit_scale: float
    notes: tuple[str, ...]
