"""The files that torch.save and dill write -> the pickled records, and the numbers of their tensors.

Three containers: a zip of `data.pkl` and one stored member a storage; the old format, five pickles and then the storages;
a pickle alone, its storages nested within it. All are read here, none by torch: see `pickles`.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..pickles import Budget, PickleError, unpickle
from .keys import CheckpointError
from .tensors import FLOATS, INTEGERS, check_shape, float32
from .torch_pickle import Storage, Tensor, TorchReader

ZIP, PICKLE = b"PK\x03\x04", b"\x80"
MAX_FILE = 8 << 30
MAX_PICKLE = 64 << 20  # bytes of a data.pkl, which holds no tensors
MAX_MEMBERS = 100_000
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
BROKEN = "it is truncated, or no file that torch.save wrote"


@dataclass(frozen=True, eq=False)
class TorchFile:
    """value: what was saved, as records; how: the container, for people; data: the bytes of each storage, by key."""

    value: object
    how: str
    size: int
    data: Mapping[str, bytes | memoryview]

    def array(self, name: str, tensor: Tensor) -> np.ndarray:
        """The tensor as float32, its view of the storage checked."""
        storage, shape = tensor.storage, check_shape(name, tensor.shape)
        raw = storage.data if storage.data is not None else self.data.get(storage.key)
        if raw is None or len(raw) != storage.numel * storage.itemsize:
            have = "missing" if raw is None else f"{len(raw)} bytes long"
            raise CheckpointError(f"{name}: its storage of {storage.numel} {storage.dtype} numbers is {have}")
        strides, offset = tensor.strides, tensor.offset
        if (
            not isinstance(strides, tuple | list)
            or len(strides) != len(shape)
            or not all(type(n) is int and n >= 0 for n in (*strides, offset))
        ):
            raise CheckpointError(f"{name} has strides or an offset that cannot be")
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides))
        if math.prod(shape) > storage.numel or 0 not in shape and last >= storage.numel:
            raise CheckpointError(
                f"{name} has shape {'x'.join(map(str, shape)) or 'scalar'}, more than its storage of {storage.numel} numbers"
            )
        numbers = np.frombuffer(raw, {**FLOATS, **INTEGERS}[storage.dtype])
        if 0 in shape:
            view = numbers[:0]
        else:
            view = np.lib.stride_tricks.as_strided(
                numbers[offset:], shape, [step * storage.itemsize for step in strides], writeable=False
            )
        return float32(name, view, storage.dtype)


def read(path: Path) -> TorchFile:
    """CheckpointError, one line, whatever is in the file."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise CheckpointError(f"it is larger than {MAX_FILE >> 30} GiB")
        with path.open("rb") as file:
            return _read(file, path.stat().st_size)
    except OSError as error:
        raise CheckpointError(f"it cannot be read: {error.strerror or error}") from error


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


def is_torch_zip(names: list[str]) -> bool:
    return any(name.rpartition("/")[2] == "data.pkl" for name in names)


# The zip.


def _read_zip(file: BinaryIO, size: int) -> TorchFile:
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in _checked(archive.infolist(), size)}
        pickles = [name for name in members if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise CheckpointError("it is a zip, but none that torch.save wrote: it needs one data.pkl")
        prefix = pickles[0].removesuffix("data.pkl")
        if f"{prefix}constants.pkl" in members or f"{prefix}code/" in members:
            raise CheckpointError("it is a TorchScript archive, code and all: save the model's state_dict() instead")
        if members[pickles[0]].file_size > MAX_PICKLE:
            raise CheckpointError(f"its data.pkl is larger than {MAX_PICKLE >> 20} MiB")
        order = f"{prefix}byteorder"
        if order in members and (members[order].file_size > 8 or archive.read(order) != b"little"):
            raise CheckpointError("its numbers are not in little-endian order")
        budget = Budget(size)
        reader = TorchReader(budget, lambda data: _nested(data, budget))
        value = unpickle(io.BytesIO(archive.read(pickles[0])), budget, reader)
        data = {}
        for key in reader.storages:
            name = f"{prefix}data/{key}"
            if re.fullmatch(r"[\w.-]{1,80}", key) and name in members:
                data[key] = archive.read(name)
    return TorchFile(value, _how("torch.save, zip", reader), size, data)


def _checked(infos: list[zipfile.ZipInfo], size: int) -> list[zipfile.ZipInfo]:
    """The members, if their names stay within the archive, they are stored as they are, and no longer than the file."""
    if len(infos) > MAX_MEMBERS or len({info.filename for info in infos}) != len(infos):
        raise CheckpointError("it is a zip with too many members, or two of one name")
    for info in infos:
        name = info.filename
        if (
            name.startswith("/")
            or "\\" in name
            or name[1:2] == ":"
            or ".." in name.split("/")
            or not name.isprintable()
        ):
            raise CheckpointError("it is a zip with a member whose path leads out of it")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise CheckpointError("it is a zip with compressed members; torch.save stores them as they are")
    if sum(info.file_size for info in infos) > size:
        raise CheckpointError("it is a zip whose members claim more bytes than it has")
    return infos


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
            raise CheckpointError(
                f"it is truncated, or a storage is not of the {known.numel} numbers that it should have"
            )
        storages[key] = whole[at : at + length]
        at += length
    return value, storages
