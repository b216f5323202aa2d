"""Graph[ops] and a board -> Schedule: each operator's folding and each link's depth, with their costs."""

from .copies import copied
from .copy_count import plan_copies
from .folding import plan
from .fronts import Point, boards_that_fit, front
from .link import Link
from .schedule import Prediction, Proof, Schedule, Shortfall
from .stages import options

__all__ = [
    "Link", "Point", "Prediction", "Proof", "Schedule", "Shortfall", "boards_that_fit",
    "copied", "front", "options", "plan", "plan_copies",
]  # fmt: skip
