"""Names of the layers of a traced network: those of its modules, as `layer1.0.conv1`, wherever the trace knows them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...ir.layers import Layer
from .program import Call

LONGEST = 120


@dataclass(frozen=True, eq=False)
class Draft:
    """A layer without a name yet. inputs: indices of the drafts it reads. kind: its name where nothing better
    is known. call: where it comes from. owner: the module that holds its weights."""

    op: Layer
    inputs: tuple[int, ...]
    kind: str
    call: Call | None = None
    owner: str = ""


def owner_of(weight: str) -> str:
    """`layer1.0.conv1.weight` -> `layer1.0.conv1`; "" where the name has no such form."""
    owner, _, leaf = weight.rpartition(".")
    return owner if owner and leaf.isidentifier() else ""


def named(drafts: list[Draft]) -> list[str]:
    """A unique name for each draft, in order. The first is the input."""
    modules = {draft.call.module for draft in drafts if draft.call and draft.call.module}
    parents = {module[:at] for module in modules for at in _dots(module)}
    taken: set[str] = set()
    names = []
    for draft in drafts:
        wanted = _wanted(draft, parents, taken)
        name, count = wanted, 0
        while _folded(name) in taken:
            count += 1
            name = f"{wanted}_{count}"
        taken.add(_folded(name))
        names.append(name)
    return names


def _dots(module: str) -> list[int]:
    return [match.start() for match in re.finditer(r"\.", module)]


def _folded(name: str) -> str:
    """Names that become the same identifier of hardware are the same."""
    return re.sub(r"\W", "_", name).lower()


def _wanted(draft: Draft, parents: set[str], taken: set[str]) -> str:
    call = draft.call
    if call is None:
        return draft.kind
    module = clean(call.module or "")
    if module and call.module not in parents and _folded(module) not in taken:
        return module
    if draft.owner:
        return clean(draft.owner)
    if call.module is not None:
        return f"{module}.{draft.kind}" if module else draft.kind
    return clean(call.label) or draft.kind


def clean(name: str) -> str:
    """Letters, digits, underscores and dots, of a length that files and tools accept."""
    return re.sub(r"[^A-Za-z0-9_.]+", "_", name)[:LONGEST].strip("._")
