"""A network of a known architecture, its weights from a file; how many bases each layer gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..checkpoint import FORMS
from ..compression.decompose import Rank, load_penni, replaceable
from ..errors import CheckpointError, UsageError
from ..zoo.models import ARCHITECTURES, build

NAMED = 3  # keys that an error names
COUNTERS = "num_batches_tracked"  # buffers of BatchNorm that nothing reads


def architecture(name: str) -> nn.Module:
    """A fresh network; UsageError where there is none of this name."""
    if name not in ARCHITECTURES:
        raise UsageError(f'architecture "{name}" is not known; use one of {", ".join(ARCHITECTURES)}')
    return build(name)


def load_network(name: str, path: Path) -> nn.Module:
    """The architecture `name` with the weights of `path`, dense or compressed (and then perhaps shrunk).

    CheckpointError, one line, where they do not fit.
    """
    model = architecture(name)
    try:
        arrays = _tensors(path)
        state = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in arrays.items()}
        if any(key.endswith(".basis") for key in arrays):
            counters = {key: value for key, value in model.state_dict().items() if key.endswith(COUNTERS)}
            return load_penni(model, {**counters, **state})
        _check(name, model.state_dict(), arrays)
    except (CheckpointError, UsageError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    model.load_state_dict(state, strict=False)  # what is not in it are counters that nothing reads
    return model


def _tensors(path: Path) -> Mapping[str, np.ndarray]:
    """float32 arrays by name, of any form of checkpoint that holds such."""
    if not path.is_file():
        raise CheckpointError("there is no such file")
    with path.open("rb") as file:
        head = file.read(16)
    form = next((form for form in FORMS if form.recognises(path, head)), None)
    if form is None or not hasattr(form, "contents"):
        raise CheckpointError("it holds no named tensors; give a state dict, of torch.save or safetensors")
    return form.contents(path).tensors


def _check(name: str, wanted: Mapping[str, torch.Tensor], arrays: Mapping[str, np.ndarray]) -> None:
    needed = {key: tuple(value.shape) for key, value in wanted.items() if not key.endswith(COUNTERS)}
    problems = {
        "it lacks": [key for key in needed if key not in arrays],
        "it also has": [key for key in arrays if key not in wanted],
        "it has another shape of": [
            f"{key} ({_shape(arrays[key].shape)} there, {_shape(shape)} in {name})"
            for key, shape in needed.items()
            if key in arrays and arrays[key].shape != shape
        ],
    }
    found = [f"{what} {_some(keys)}" for what, keys in problems.items() if keys]
    if found:
        raise CheckpointError(f"it does not fit {name}: {'; '.join(found)}")


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a number"


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more


def bases(texts: Sequence[str], model: nn.Module) -> Rank:
    """`5`, `0.95` or `layer1.0.conv1=3,layer2.0.conv1=0.9`, several of them where wanted, as `decompose` takes it.

    A number alone is for all layers that no other text names; without one, only named layers are decomposed.
    """
    alone: list[int | float] = []
    named: dict[str, int | float] = {}
    for text in (part.strip() for whole in texts for part in whole.split(",")):
        layer, given, value = text.rpartition("=")
        if given and layer in named:
            raise UsageError(f"-d {text}: {layer} is named twice")
        if given:
            named[layer] = _rank(text, value)
        else:
            alone.append(_rank(text, value))
    if len(alone) > 1:
        raise UsageError(f"-d: {' and '.join(map(str, alone))} for all layers; give one, and others as LAYER=D")
    if not named:
        return alone[0]
    layers = [name for name, module in model.named_modules() if replaceable(module)]
    return {**({layer: alone[0] for layer in layers} if alone else {}), **named}


def _rank(text: str, value: str) -> int | float:
    """A whole number of bases, or a share of energy."""
    try:
        number = float(value) if "." in value else int(value)
    except ValueError:
        raise UsageError(f"-d {text}: give a number of bases (5), a share of energy (0.95), or LAYER=either") from None
    if isinstance(number, float) and not 0 < number <= 1:
        raise UsageError(f"-d {text}: a share of energy lies above 0 and is at most 1.0")
    if isinstance(number, int) and number < 1:
        raise UsageError(f"-d {text}: at least 1 basis is needed")
    return number
