"""Graph[ops] and a board -> Schedule: each operator's folding and each link's depth, with their costs."""

from .folding import plan
from .schedule import Link, Schedule, Shortfall

__all__ = ["Link", "Schedule", "Shortfall", "plan"]
