"""What a project's RTL costs, by yosys: each operator alone, side by side, and the top with its FIFOs around them.

The sum is an upper bound of the whole: nothing is shared or removed across operators.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .emit.rtl import instance_module, memory_file
from .graph import Node
from .ops.base import Resources
from .project import Project
from .tools import yosys

TOP = "penni_top"


@dataclass(frozen=True)
class Synthesis:
    """operators: by name; top: the FIFOs and wiring around them; budget: what the board lets the accelerator use."""

    operators: dict[str, Resources]
    top: Resources
    budget: Resources

    @property
    def total(self) -> Resources:
        return sum(self.operators.values(), self.top)

    @property
    def over(self) -> tuple[str, ...]:
        """The resources of which more is needed than the budget has."""
        have, budget = self.total.as_dict(), self.budget.as_dict()
        return tuple(name for name in have if have[name] > budget[name])


def synth(project: Project, progress: Callable[[int, int], None] = lambda done, total: None) -> Synthesis:
    """Synthesize the project's rtl/. progress: called with (modules done, modules)."""
    rtl, work = project.path / "rtl", project.work / "synth"
    board = project.schedule.board
    family = yosys.FAMILIES[board.processor]
    every = sorted(rtl.glob("*.sv"))
    common = [path for path in every if not path.stem.startswith("penni_i_") and path.stem != TOP]
    nodes = project.schedule.instances
    yosys.command()  # complains at once where there is none

    def operator(node: Node) -> Resources:
        module = instance_module(node.name)
        own = [path for path in every if path.stem in (module, f"{module}_adders")]
        names = node.op.memories(project.schedule.foldings[node.name])
        memories = [rtl / "mem" / memory_file(node.name, name) for name in names]
        return yosys.synthesize(module, [*common, *own], family, work / module, memories=memories)

    def around(_: None) -> Resources:
        wrappers = [rtl / f"{instance_module(node.name)}.sv" for node in nodes]
        return yosys.synthesize(TOP, [*common, rtl / f"{TOP}.sv"], family, work / TOP, blackboxes=wrappers)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tasks = [pool.submit(around, None), *(pool.submit(operator, node) for node in nodes)]
        try:
            for done, task in enumerate(tasks, 1):
                task.result()
                progress(done, len(tasks))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    top, *operators = (task.result() for task in tasks)
    return Synthesis({node.name: cost for node, cost in zip(nodes, operators)}, top, board.budget)
