"""What a training run stores after each epoch so that it can resume; each file is replaced atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import UsageError
from ..files import replace_file
from . import processes

Settings = dict[str, Any]  # what decides the result, by name
Line = dict[str, Any]  # an epoch's metrics


def save(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, settings: Settings, lines: Sequence[Line]
) -> None:
    """Replace `path` by the run's state, and the `.jsonl` beside it by its metrics, an epoch a line."""
    content = {
        "settings": settings,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "metrics": list(lines),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda file: torch.save(content, file))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    replace_file(path.with_suffix(".jsonl"), text.encode())


def resume(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, settings: Settings) -> list[Line]:
    """Load, in place, what `save` wrote; return the epochs' metrics, none where there is no file.

    A checkpoint made with other settings is refused: the result would belong to neither. Of several processes the
    leader reads the file for all.
    """
    content = processes.from_leader(lambda: _read(path, settings))
    if content is None:
        return []
    try:
        model.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
    except Exception as error:  # whatever torch says of shapes and names that differ
        raise UsageError(f"{path}: does not fit this run ({_line(error)}); remove it to start over") from error
    return content["metrics"]


def _read(path: Path, settings: Settings) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        made_with = dict(content["settings"])
        content["model"], content["optimizer"], list(content["metrics"])
    except Exception as error:  # a broken file may make the unpickler raise anything
        raise UsageError(f"{path}: does not fit this run ({_line(error)}); remove it to start over") from error
    differ = [difference(name, value, settings.get(name)) for name, value in made_with.items()]
    if any(differ):
        raise UsageError(
            f"{path}: was made with other settings ({', '.join(filter(None, differ))}); remove it to start over"
        )
    return content


def difference(name: str, there: object, now: object) -> str:
    """`lr 0.1, now 0.05`; of texts that list settings only those that differ. "" where nothing does."""
    if there == now:
        return ""
    if isinstance(there, str) and isinstance(now, str):
        old, new = there.split(", "), now.split(", ")
        return f"{', '.join(x for x in old if x not in new)}; now {', '.join(x for x in new if x not in old)}"
    return f"{name} {there}, now {now}"


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
