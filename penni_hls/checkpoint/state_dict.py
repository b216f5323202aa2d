"""A torch file -> plain numpy tensors by name. Only tensors, numbers and containers are read; no code runs."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from .keys import CheckpointError, some

WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "params",
    "weights",
    "ema",
    "module",
)
PREFIXES = ("module.", "model.", "net.", "network.", "_orig_mod.", "backbone.", "encoder.")
STARTS = (b"PK", b"\x80")  # of a zip, and of a pickle as the old format is one
IGNORED = ("num_batches_tracked",)
COUNTS = (".zeros",)  # integers among the weights: the split of a shrunk shortcut's zero channels


def _load(path: Path) -> object:
    if not path.is_file():
        raise CheckpointError("there is no such file")
    try:
        with path.open("rb") as file:
            start = file.read(2)
    except OSError as error:
        raise CheckpointError(f"it cannot be opened: {error.strerror}") from error
    if not start.startswith(STARTS):
        raise CheckpointError("it is truncated, or no file that torch.save wrote")
    try:
        with warnings.catch_warnings():  # torch's remarks on odd pickles: the error says what matters
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile or broken file may make the unpickler raise anything
        asked = re.search(r"(?:GLOBAL|global|class|type) ([\w.]+\.[\w.]+)", str(error))
        if asked:
            raise CheckpointError(
                f"it asks for {asked[1]}, which could run code; only state dicts are read"
                " (torch.save(model.state_dict(), ...))"
            ) from error
        raise CheckpointError("it is truncated, or no file that torch.save wrote") from error


def _tensors(loaded: object) -> dict[str, torch.Tensor]:
    """The tensors by name, wrappers taken off."""
    while isinstance(loaded, Mapping):
        inside = [loaded[name] for name in WRAPPERS if isinstance(loaded.get(name), Mapping)]
        if not inside:
            break
        loaded = inside[0]
    if not isinstance(loaded, Mapping):
        raise CheckpointError(f"it holds a {type(loaded).__name__}, not a state dict")
    strange = [
        str(key) for key, value in loaded.items() if not isinstance(key, str) or not isinstance(value, torch.Tensor)
    ]
    if strange:
        raise CheckpointError(f"these entries are no tensors: {some(strange)}")
    if not loaded:
        raise CheckpointError("it holds no tensors")
    return dict(loaded)


def _strip(names: list[str]) -> int:
    """Length of the prefix all names share, as wrappers of modules leave it."""
    at = 0
    while True:
        found = [p for p in PREFIXES if all(name.startswith(p, at) for name in names)]
        if not found:
            return at
        at += len(found[0])


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """path -> float32 arrays by name, prefixes stripped, all finite. Raises CheckpointError."""
    tensors = _tensors(_load(path))
    at = _strip(list(tensors))
    result: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        if name.endswith(IGNORED):
            continue
        if not (tensor.is_floating_point() or name.endswith(COUNTS)) or tensor.layout is not torch.strided:
            raise CheckpointError(f"{name} holds {str(tensor.dtype).removeprefix('torch.')} numbers, not weights")
        values = tensor.detach().to(torch.float32).contiguous().numpy()
        if not np.isfinite(values).all():
            raise CheckpointError(f"{name} holds NaN or infinite values")
        if not values.size:
            raise CheckpointError(f"{name} is empty")
        result[name[at:]] = values
    return result
