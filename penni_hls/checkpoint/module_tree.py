"""The tree of a pickled torch.nn.Module -> its tensors by dotted name, and the settings its modules carry.

A record is a module if its state has `_parameters`, `_buffers` and `_modules`, whatever its class: torch stores every
module so. Beside these, only plain settings such as `stride` and `eps` are read.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..pickles import Record
from .keys import CheckpointError
from .settings import Settings
from .tensors import MAX_NAME

MAX_DEPTH, MAX_MODULES = 32, 20_000


def is_module(value: object) -> bool:
    return isinstance(value, Record) and all(type(part) is dict for part in _parts(value))


def _parts(record: Record) -> tuple[object, ...]:
    state = record.state if isinstance(record.state, dict) else {}
    return tuple(state.get(name) for name in ("_parameters", "_buffers", "_modules"))


def contents(root: Record) -> tuple[dict[str, object], dict[str, Settings]]:
    """The parameters and buffers, unchecked, and the settings, both by dotted name, in the order of the tree.

    A module that occurs several times is read at its first place only.
    """
    tensors: dict[str, object] = {}
    settings: dict[str, Settings] = {}
    seen: set[int] = set()
    left: list[tuple[str, int, object]] = [("", 0, root)]
    while left:
        name, depth, module = left.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        if depth > MAX_DEPTH or len(seen) > MAX_MODULES or len(name) > MAX_NAME:
            raise CheckpointError(
                f"its modules are nested deeper than {MAX_DEPTH} levels, or more than {MAX_MODULES:,}"
            )
        if not isinstance(module, Record) or not is_module(module):
            raise CheckpointError(f"{name} is not a module: it has no parameters, buffers and modules")
        parameters, buffers, modules = _parts(module)
        state: dict = module.state  # type: ignore[assignment]
        settings[name] = Settings.of(str(module), state)
        hidden = state.get("_non_persistent_buffers_set")
        for group, skip in ((parameters, []), (buffers, hidden if type(hidden) is list else [])):
            for key, value in _entries(group, name):
                if value is not None and key not in skip:
                    tensors[_join(name, key)] = value
        children = [(_join(name, key), depth + 1, value) for key, value in _entries(modules, name) if value is not None]
        left.extend(reversed(children))
    return tensors, settings


def _entries(group: object, name: str) -> list[tuple[str, object]]:
    assert isinstance(group, Mapping)
    if not all(type(key) is str and key and key.isprintable() and len(key) <= MAX_NAME for key in group):
        raise CheckpointError(f"{name or 'its module'} has an entry whose name is not plain text")
    return list(group.items())


def _join(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key
