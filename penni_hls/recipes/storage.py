"""A trained network to disk, atomically; the file's suffix says in which form."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ..checkpoint import FAMILIES, penni_file
from ..checkpoint.keys import KeyTable
from ..errors import UsageError
from ..files import replace_file
from ..ir.graph import Graph, verify
from ..ir.layers import Layer
from ..ir.quantized import Quantized

TORCH, SAFETENSORS, PENNI = (".pt", ".pth"), (".safetensors",), (".penni",)
STATE_DICTS = (*TORCH, *SAFETENSORS)
SUFFIXES = (*STATE_DICTS, *PENNI)


def check_output(path: Path, suffixes: Sequence[str] = SUFFIXES) -> None:
    """UsageError unless a network can be stored at `path`, in one of the forms."""
    if path.suffix not in suffixes:
        raise UsageError(f'-o {path}: the suffix "{path.suffix}" is not supported; use one of {", ".join(suffixes)}')
    if path.is_dir():
        raise UsageError(f"cannot write to {path}: it is a directory; choose another with -o")
    check_place(path, "-o")


def check_place(path: Path, option: str) -> None:
    """UsageError unless something can be made at `path`; `option` is what names it."""
    place = next(parent for parent in path.absolute().parents if parent.exists() or parent.is_symlink())
    if not place.is_dir():
        raise UsageError(f"cannot write to {path}: {place} is not a directory; choose another with {option}")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write to {path}: no permission to write in {place}; choose another with {option}")


def tensors(model: nn.Module, half: bool) -> dict[str, Tensor]:
    """The state dict as plain CPU tensors, each with memory of its own; floats in half precision where wanted."""
    state = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    return {name: value.half() if half and value.is_floating_point() else value for name, value in state.items()}


def round_to_half(path: Path, model: nn.Module) -> None:
    """Give, in place, the network the values that it will have when read back from `path` in half precision."""
    whole, rounded = tensors(model, half=False), tensors(model, half=True)
    vectors = path.suffix not in PENNI  # where they stay as they are
    model.load_state_dict(
        {name: rounded[name] if vectors or value.dim() > 1 else value for name, value in whole.items()}
    )


def graph(model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> Graph[Layer]:
    """The network in the float vocabulary. It must be one of `models`. mean, std: of the pixels 0..1."""
    table = KeyTable(
        {
            name: value.numpy()
            for name, value in tensors(model, half=False).items()
            if not name.endswith("num_batches_tracked")
        }
    )
    family = next(family for family in FAMILIES if family.recognises(table))
    return verify(Graph(tuple(family.build(table, tuple(mean), tuple(std)).nodes)))


def store(
    path: Path,
    model: nn.Module,
    mean: Sequence[float],
    std: Sequence[float],
    half: bool = False,
    quantized: Quantized | None = None,
) -> None:
    """Write the network. The same network gives the same bytes, whatever the file is called.

    A state dict, or a `.penni` file, which holds mean, std and the integer network too where there is one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in PENNI:
        penni_file.write(path, graph(model, mean, std), quantized, half)
        return
    state = tensors(model, half)
    if path.suffix in SAFETENSORS:
        replace_file(path, save(state))
    else:
        replace_file(path, lambda file: torch.save(state, file))  # given a path, it would store its name too
