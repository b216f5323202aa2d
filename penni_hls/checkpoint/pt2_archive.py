"""The archive that torch.export.save writes: a zip of stored members, opened here and not by torch.

Only the JSON of the program and the raw bytes of tensors are read. Pickled sample inputs and custom objects are not.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from ..errors import CheckpointError
from . import torch_file
from .files import MAX_FILE, check_size, members
from .tensors import INTEGERS, NUMBERS, view, widened
from .torch_pickle import Tensor
from .traced.program import Constant, printable

MAX_JSON = 128 << 20
STRIDED = 7
# Codes of torch._export.serde.schema.ScalarType.
TYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    13: "bfloat16",
}
DAMAGED = "it is damaged, or was not written by torch.export.save"


class Archive:
    """The members below the archive's one top folder."""

    def __init__(self, file: zipfile.ZipFile, size: int) -> None:
        infos = members(file, size)
        tops = {path.partition("/")[0] for path in infos}
        if len(tops) != 1:
            raise CheckpointError("it does not have a single top folder, as files of torch.export.save do")
        self._file, self._top = file, tops.pop()
        self._infos = {path.removeprefix(f"{self._top}/"): info for path, info in infos.items()}
        self._storages: dict[str, bytes] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._infos

    def names(self) -> tuple[str, ...]:
        return tuple(self._infos)

    def read(self, name: str, most: int = MAX_FILE) -> bytes:
        info = self._infos.get(name)
        if info is None:
            raise CheckpointError(f"its member {printable(name)} is missing")
        if info.file_size > most:
            raise CheckpointError(f"its member {printable(name)} is too large, {info.file_size:,} bytes")
        return self._file.read(info)

    def json(self, name: str) -> dict[str, Any]:
        """A member that is a JSON object."""
        try:
            value = json.loads(self.read(name, MAX_JSON).decode("utf-8"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"its member {printable(name)} is not readable JSON") from error
        if not isinstance(value, dict):
            raise CheckpointError(f"its member {printable(name)} is not a JSON object")
        return value

    def tensors(self, folder: str, model: str) -> Mapping[str, Mapping[str, Any]]:
        """The entry of each tensor in `folder`, weights or constants, by its name."""
        if f"data/{folder}/{model}.pt" in self:  # as older versions of torch wrote it
            return self._pickled(f"data/{folder}/{model}.pt")
        config = self.json(f"data/{folder}/{model}_{folder}_config.json").get("config")
        if not isinstance(config, dict):
            raise CheckpointError(f"its list of {folder} is damaged")
        return config

    def _pickled(self, name: str) -> dict[str, dict[str, Any]]:
        """The tensors of an older archive, in one file of torch.save: read as a state dict is, its pickle not run."""
        file = torch_file.read_bytes(self.read(name))
        if not isinstance(file.value, dict):
            raise CheckpointError(f"its member {printable(name)} is not a dict of tensors")
        return {str(key): {"file": file, "tensor": value} for key, value in file.value.items()}

    def constant(self, folder: str, name: str, entry: Any) -> Constant:
        """The tensor `name` as float32 or int64."""
        if not isinstance(entry, Mapping):
            raise CheckpointError(f"{printable(name)} is missing")
        if "tensor" in entry:
            if not isinstance(entry["tensor"], Tensor):
                raise CheckpointError(f"{printable(name)} is not a tensor")
            return Constant(entry["file"].array(printable(name), entry["tensor"]), name)
        path, meta = entry.get("path_name"), entry.get("tensor_meta")
        if entry.get("use_pickle") is not False or not isinstance(meta, Mapping):
            raise CheckpointError(f"{printable(name)} is a pickled object, which could run code; only tensors are read")
        if not isinstance(path, str) or not re.fullmatch(r"\w+", path):
            raise CheckpointError(f"{printable(name)} is stored under an invalid member name")
        dtype = TYPES.get(meta.get("dtype"))  # type: ignore[arg-type]
        if dtype is None or meta.get("layout") != STRIDED:
            raise CheckpointError(f"{printable(name)} holds numbers of a type or layout that weights do not have")
        key = f"data/{folder}/{path}"
        if key not in self._storages:
            self._storages[key] = self.read(key)
        return Constant(_numbers(printable(name), self._storages[key], dtype, meta), name)


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _numbers(name: str, raw: bytes, dtype: str, meta: Mapping[str, Any]) -> np.ndarray:
    """The view of a storage that `meta` describes, float32 or int64."""
    kind = np.dtype(NUMBERS[dtype])
    numbers = np.frombuffer(raw, kind) if len(raw) % kind.itemsize == 0 else np.empty(0, kind)
    sizes, strides = (tuple(map(plain_int, meta[key])) for key in ("sizes", "strides"))
    found = view(name, numbers, sizes, strides, plain_int(meta["storage_offset"]))
    if not found.size:
        raise CheckpointError(f"{name} is empty")
    return found.astype(np.int64) if dtype in INTEGERS else widened(found, dtype)  # the layers refuse infinities


def plain_int(value: Any) -> int:
    """{"as_int": 3} -> 3. A symbolic expression is refused: it is never evaluated."""
    found = value.get("as_int") if isinstance(value, Mapping) else None
    if type(found) is not int:
        raise CheckpointError("a size is symbolic; only the batch may be open")
    return found


@contextmanager
def opened(file: BinaryIO) -> Iterator[Archive]:
    """The archive in an open file. CheckpointError where it is damaged or something else."""
    size = file.seek(0, io.SEEK_END)
    check_size(size)
    try:
        with zipfile.ZipFile(file) as zipped:
            yield Archive(zipped, size)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, UnicodeDecodeError, RuntimeError) as error:
        raise CheckpointError(DAMAGED) from error
