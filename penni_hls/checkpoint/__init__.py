"""Checkpoint readers: a file -> Graph[layers].

A form of checkpoint is a module with
    NAME                                     what `inspect` calls it
    recognises(path: Path, head: bytes)      head: the first 16 bytes; it may look into a zip's names
and one of
    contents(path) -> Contents               named tensors: the families below make the network of them
    traced(path, mean, std) -> Traced        where the file itself says how its layers are joined
    stored(path) -> Stored                   where it also holds the mean and deviation of the pixels
Each raises CheckpointError, one line without the path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from ..data import CIFAR10_MEAN, CIFAR10_STD
from ..ir.bits import LayerBits
from ..ir.graph import Graph, verify
from ..ir.layers import Input, Layer
from ..ir.quantized import Quantized
from . import onnx_file, penni_file, pt2_file, resnet, safetensors_file, settings, state_dict, vgg
from .describe import describe
from .keys import CheckpointError, Contents, KeyTable, some

FAMILIES = (resnet, vgg)
# The first that recognises a file reads it.
FORMS: tuple[ModuleType, ...] = (penni_file, safetensors_file, pt2_file, onnx_file, state_dict)

__all__ = ["CheckpointError", "Loaded", "describe", "load", "read"]

Numbers = Sequence[float] | None


@dataclass(frozen=True, eq=False)
class Loaded:
    """graph: the float network; form: the kind of file; quantized: the integer network, where the file has one; notes:
    what of the file's network was left out, a sentence each; bits: widths of weights by layer, where the file has them."""

    graph: Graph[Layer]
    form: str
    quantized: Quantized | None = None
    notes: tuple[str, ...] = ()
    bits: LayerBits | None = None


def read(path: str | Path, *, mean: Numbers = None, std: Numbers = None) -> Graph[Layer]:
    """The float network of a checkpoint of any form; see `load`."""
    return load(path, mean=mean, std=std).graph


def load(path: str | Path, *, mean: Numbers = None, std: Numbers = None) -> Loaded:
    """Read a checkpoint of any form and recognise its network.

    mean, std: of the pixels 0..1 that the network was trained with; None: what the file says, else CIFAR-10's.
    Raises CheckpointError, one line that begins with the path.
    """
    path = Path(path)
    try:
        return _load(path, mean, std)
    except (
        CheckpointError,
        ValueError,
    ) as error:  # ValueError: an inconsistent graph, or mean and std that do not match it
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: it cannot be read: {error.strerror or error}") from error


def _load(path: Path, mean: Numbers, std: Numbers) -> Loaded:
    if not path.is_file():
        raise CheckpointError("it is a directory, not a file" if path.is_dir() else "there is no such file")
    with path.open("rb") as file:
        head = file.read(16)
    form = next((form for form in FORMS if form.recognises(path, head)), None)
    if form is None:
        raise CheckpointError(f"it is truncated, or in none of the supported forms: {', '.join(f.NAME for f in FORMS)}")
    if hasattr(form, "stored"):
        stored = form.stored(path)
        _check_normalisation(stored.graph.input.op, mean, std)
        return Loaded(stored.graph, form.NAME, stored.quantized, bits=stored.bits)
    if hasattr(form, "traced"):
        traced = form.traced(path, mean, std)
        return Loaded(verify(traced.graph), form.NAME, notes=traced.notes)
    numbers = tuple(CIFAR10_MEAN if mean is None else mean), tuple(CIFAR10_STD if std is None else std)
    contents = form.contents(path)
    return Loaded(verify(_of_family(contents, *numbers)), contents.form)


def _of_family(contents: Contents, mean: tuple[float, ...], std: tuple[float, ...]) -> Graph[Layer]:
    table = KeyTable(contents.tensors)
    family = next((f for f in FAMILIES if f.recognises(table)), None)
    if family is None:
        raise CheckpointError(f"its architecture is not known (ResNet and VGG are); its keys: {some(table.keys())}")
    net = family.build(table, mean, std)
    table.finish()
    return settings.apply(net.nodes, contents.settings)


def _check_normalisation(op: Layer, mean: Numbers, std: Numbers) -> None:
    assert isinstance(op, Input)
    for option, given, held in (("mean", mean, op.mean), ("std", std, op.std)):
        if given is not None and tuple(given) != held:
            raise CheckpointError(
                f"the file says that its network was trained with {option} {_joined(held)}, not {_joined(given)};"
                f" leave out --{option}"
            )


def _joined(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
