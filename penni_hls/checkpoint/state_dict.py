"""Files of torch.save and dill -> named tensors: a state dict, bare or wrapped, or a whole pickled module."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..pickles import Record
from .keys import CheckpointError, Contents
from .module_tree import contents as module_contents
from .module_tree import is_module
from .settings import Settings
from .tensors import require, wanted, without_prefix
from .torch_file import PICKLE, ZIP, TorchFile
from .torch_file import read as read_file
from .torch_pickle import Tensor

NAME = "PyTorch"
WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "params",
    "weights",
    "weight",
    "ema",
    "module",
)


def recognises(path: Path, head: bytes) -> bool:
    return head.startswith((ZIP, PICKLE))


def contents(path: Path) -> Contents:
    """float32 arrays by name, without prefix, all finite; of a module also its settings. Raises CheckpointError."""
    file = read_file(path)
    value = _unwrapped(file.value)
    settings: dict[str, Settings] = {}
    if is_module(value):
        entries, settings = module_contents(value)  # type: ignore[arg-type]
    elif isinstance(value, dict):
        entries = value
    else:
        raise CheckpointError(
            f"it holds a {value if isinstance(value, Record) else type(value).__name__}, not a state dict"
        )
    tensors = {key: entry for key, entry in entries.items() if type(key) is str and isinstance(entry, Tensor)}
    require(entries, (f"{key:.80}" + _kind(entry) if type(key) is str else type(key).__name__
                      for key, entry in entries.items() if key not in tensors))  # fmt: skip
    arrays = _arrays(file, tensors)
    prefix, named = without_prefix(arrays)
    return Contents(
        f"{NAME} {'module, pickled whole' if settings else 'state dict'} ({file.how})",
        named,
        {name.removeprefix(prefix): found for name, found in settings.items()},
    )


def _kind(entry: object) -> str:
    return f" (a {entry})" if isinstance(entry, Record) else ""


def _unwrapped(value: object) -> object:
    """The innermost state dict or module of a checkpoint that holds more than that."""
    for _ in range(len(WRAPPERS)):
        if not isinstance(value, dict):
            break
        inside = [value[name] for name in WRAPPERS if isinstance(value.get(name), dict) or is_module(value.get(name))]
        if not inside:
            break
        value = inside[0]
    return value


def _arrays(file: TorchFile, entries: dict[str, Tensor]) -> dict[str, np.ndarray]:
    left = 2 * file.size + (1 << 20)  # bytes: tensors may share a storage, within this bound
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in entries.items():
        if wanted(name, tensor.storage.dtype):
            arrays[name] = file.array(name, tensor)
            left -= arrays[name].size * tensor.storage.itemsize
            if left < 0:
                raise CheckpointError("its tensors claim far more numbers than it has")
    return arrays
