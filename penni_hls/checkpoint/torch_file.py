"""The files that torch.save and dill write -> the pickled records, and the numbers of their tensors.

Three containers: a zip of `data.pkl` and one stored member per storage; the old format, five pickles and then the
storages; a pickle alone, its storages nested within it. All are read here, none by torch: see `pickles`.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..pickles import Budget, PickleError, unpickle
from .files import check_size, members
from .keys import CheckpointError
from .tensors import NUMBERS, float32, view
from .torch_pickle import Storage, Tensor, TorchReader

ZIP, PICKLE = b"PK\x03\x04", b"\x80"
MAX_PICKLE = 64 << 20  # bytes of a data.pkl, which holds no tensors
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
BROKEN = "it is truncated, or was not written by torch.save"


@dataclass(frozen=True, eq=False)
class TorchFile:
    """value: what was saved, as records; how: the container, for messages; data: the bytes of each storage, by key."""

    value: object
    how: str
    size: int
    data: Mapping[str, bytes | memoryview]

    def array(self, name: str, tensor: Tensor) -> np.ndarray:
        """The tensor as float32, its view of the storage checked."""
        storage = tensor.storage
        raw = storage.data if storage.data is not None else self.data.get(storage.key)
        if raw is None or len(raw) != storage.numel * storage.itemsize:
            have = "missing" if raw is None else f"{len(raw)} bytes long"
            raise CheckpointError(f"{name}: its storage of {storage.numel} {storage.dtype} numbers is {have}")
        numbers = np.frombuffer(raw, NUMBERS[storage.dtype])
        return float32(name, view(name, numbers, tensor.shape, tensor.strides, tensor.offset), storage.dtype)


def read(path: Path) -> TorchFile:
    """CheckpointError, one line, whatever is in the file; OSError where it cannot be read."""
    size = path.stat().st_size
    check_size(size)
    with path.open("rb") as file:
        return _read(file, size)


def read_bytes(data: bytes) -> TorchFile:
    """The same for a file within another."""
    return _read(io.BytesIO(data), len(data))


def _read(file: BinaryIO, size: int) -> TorchFile:
    try:
        is_zip = file.read(4) == ZIP
        file.seek(0)
        return _read_zip(file, size) if is_zip else _read_pickles(file.read())
    except (CheckpointError, OSError):
        raise
    except PickleError as error:
        raise CheckpointError(str(error)) from error
    except Exception as error:  # a broken file can make zipfile raise nearly anything
        raise CheckpointError(BROKEN) from error


# The zip.


def _read_zip(file: BinaryIO, size: int) -> TorchFile:
    with zipfile.ZipFile(file) as archive:
        infos = members(archive, size)
        pickles = [name for name in infos if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise CheckpointError("it is a zip that torch.save did not write: one data.pkl is needed")
        prefix = pickles[0].removesuffix("data.pkl")
        if f"{prefix}constants.pkl" in infos or f"{prefix}code/" in infos:
            raise CheckpointError(
                "it is a TorchScript archive, which contains code: save the model's state_dict() instead"
            )
        if infos[pickles[0]].file_size > MAX_PICKLE:
            raise CheckpointError(f"its data.pkl is larger than {MAX_PICKLE >> 20} MiB")
        order = f"{prefix}byteorder"
        if order in infos and (infos[order].file_size > 8 or archive.read(order) != b"little"):
            raise CheckpointError("its numbers are not in little-endian order")
        budget = Budget(size)
        reader = TorchReader(budget, lambda data: _nested(data, budget))
        value = unpickle(io.BytesIO(archive.read(pickles[0])), budget, reader)
        data = {}
        for key in reader.storages:
            name = f"{prefix}data/{key}"
            if re.fullmatch(r"[\w.-]{1,80}", key) and name in infos:
                data[key] = archive.read(name)
    return TorchFile(value, _how("torch.save, zip", reader), size, data)


# The old format, and bare pickles.


def _read_pickles(data: bytes) -> TorchFile:
    budget = Budget(len(data))
    stream = io.BytesIO(data)
    reader = TorchReader(budget, lambda inner: _nested(inner, budget))
    value = unpickle(stream, budget, reader)
    if type(value) is int and value == MAGIC:
        reader = TorchReader(budget, lambda inner: _nested(inner, budget))
        value, storages = _old_format(data, stream, budget, reader)
        return TorchFile(value, _how("torch.save, old format", reader), len(data), storages)
    return TorchFile(value, _how("a pickle", reader), len(data), {})


def _how(container: str, reader: TorchReader) -> str:
    return f"{container}, by dill" if reader.dill else container


def _nested(data: bytes, budget: Budget) -> Storage:
    """The one storage that a file within a pickle holds, the argument of torch.storage._load_from_bytes."""
    stream = io.BytesIO(data)
    if unpickle(stream, budget, TorchReader(budget)) != MAGIC:
        raise CheckpointError("a file within its pickle was not written by torch")
    value, storages = _old_format(data, stream, budget, TorchReader(budget))
    if not isinstance(value, Storage):
        raise CheckpointError("a file within its pickle holds more than the numbers of a tensor")
    return value.with_data(bytes(storages[value.key]))


def _old_format(
    data: bytes, stream: io.BytesIO, budget: Budget, reader: TorchReader
) -> tuple[object, dict[str, memoryview]]:
    """What follows the magic number: protocol, system, object, keys; then for each key a count and the numbers.

    Returns the object and the bytes of each storage, by key.
    """
    protocol, system = (unpickle(stream, budget, TorchReader(budget)) for _ in range(2))
    if type(protocol) is not int or protocol != PROTOCOL or type(system) is not dict:
        raise CheckpointError("it is of an unknown version of torch.save's old format")
    if system.get("little_endian") is not True:
        raise CheckpointError("its numbers are not in little-endian order")
    value = unpickle(stream, budget, reader)
    keys = unpickle(stream, budget, TorchReader(budget))
    if type(keys) is not list or not all(type(key) is str for key in keys) or len(set(keys)) != len(keys):
        raise CheckpointError(BROKEN)
    storages: dict[str, memoryview] = {}
    whole, at = memoryview(data), stream.tell()
    for key in keys:
        known = reader.storages.get(key)
        if known is None:
            raise CheckpointError("it holds numbers that its pickle does not name")
        count = int.from_bytes(whole[at : at + 8], "little", signed=True)
        at += 8
        length = known.numel * known.itemsize
        if count != known.numel or length > len(data) - at:
            raise CheckpointError(f"it is truncated, or a storage does not hold its {known.numel} numbers")
        storages[key] = whole[at : at + length]
        at += length
    return value, storages
