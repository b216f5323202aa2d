"""Weights in a file beside an ONNX model, where torch.onnx.export puts them by default: brought into the model."""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto, TensorProto

from ..errors import CheckpointError
from .traced.program import printable

MAX_BYTES = (2 << 30) - 1  # of a model and its external data: protobuf reads no more
KNOWN = frozenset({"location", "offset", "length", "checksum"})


def bring_in(model: ModelProto, folder: Path) -> None:
    """Give, in place, each initializer that lies in a file of `folder` its bytes. CheckpointError where that cannot be.

    Only a plain file of that very folder is opened; its name comes from the model, which is not trusted.
    """
    left = MAX_BYTES
    for tensor in model.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        data = _bytes(tensor, folder, left)
        left -= len(data)
        tensor.raw_data = data
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT


def _bytes(tensor: TensorProto, folder: Path, most: int) -> bytes:
    name = printable(tensor.name or "a constant")
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if len(entries) != len(tensor.external_data) or not entries.keys() <= KNOWN:
        raise CheckpointError(f"{name}: its external data is not described as ONNX requires")
    if not location.isprintable() or location in ("", ".", "..") or set(location) & set("/\\:"):
        raise CheckpointError(f"{name}: its numbers lie in another folder; only a file beside the model is read")
    path = folder / location
    if path.is_symlink() or not path.is_file():
        raise CheckpointError(
            f"{name}: its numbers should lie in {location} beside the model, but there is no such file"
        )
    size = path.stat().st_size
    offset = _number(name, entries.get("offset", "0"))
    length = _number(name, entries.get("length", str(max(size - offset, 0))))
    if offset + length > size or length > most:
        raise CheckpointError(
            f"{name}: its {length} bytes from offset {offset} on are more than {location} or an ONNX model holds"
        )
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise CheckpointError(f"{name}: its external data is not described as ONNX requires")
    return int(text)
