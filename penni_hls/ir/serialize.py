"""Values <-> (JSON structure, arrays), for a fixed vocabulary of frozen dataclasses. No pickle, no eval, no imports.

A dataclass becomes {"$type": its name, field: value, …}; a numpy array {"$array": its name, "dtype": …}; tuples become
lists and come back as tuples; dictionaries have string keys. Integer arrays are stored in the narrowest dtype that
holds them and come back in the one that they had. A field that has a default may be missing, as in files from before
there was that field. Whatever else is met, either way, is an error.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import types
import typing
import zipfile
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import ProjectError

TYPE, ARRAY = "$type", "$array"
_DTYPES = {name: np.dtype(name) for name in (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
)}  # fmt: skip
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold: the bytes depend on the contents only


class Codec:
    """Encodes and decodes values made of the classes in `vocabulary`."""

    def __init__(self, vocabulary: Iterable[type]) -> None:
        self._classes = {cls.__name__: cls for cls in vocabulary}
        self._hints = {name: typing.get_type_hints(cls) for name, cls in self._classes.items()}

    def encode(self, value: Any, arrays: dict[str, np.ndarray]) -> Any:
        """The JSON structure of `value`; its arrays are added to `arrays` as a0, a1, …"""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            if not math.isfinite(value):
                raise TypeError(f"{value} cannot be written")
            return value
        if isinstance(value, np.ndarray):
            name = f"a{len(arrays)}"
            arrays[name] = _narrow(value)
            return {ARRAY: name, "dtype": _known_dtype(value).name}
        if isinstance(value, (tuple, list)):
            return [self.encode(item, arrays) for item in value]
        if isinstance(value, dict):
            if not all(isinstance(key, str) and not key.startswith("$") for key in value):
                raise TypeError("only dictionaries with plain string keys can be written")
            return {key: self.encode(item, arrays) for key, item in value.items()}
        cls = type(value)
        if self._classes.get(cls.__name__) is not cls:
            raise TypeError(f"{cls.__name__} is not in the vocabulary")
        fields = {field.name: self.encode(getattr(value, field.name), arrays) for field in dataclasses.fields(cls)}
        return {TYPE: cls.__name__, **fields}

    def decode(self, data: Any, arrays: dict[str, np.ndarray]) -> Any:
        """The inverse of `encode`; ProjectError where `data` is not what `encode` gives."""
        if isinstance(data, list):
            return tuple(self.decode(item, arrays) for item in data)
        if not isinstance(data, dict):
            return data
        if ARRAY in data:
            return self._decode_array(data, arrays)
        if TYPE not in data:
            return {key: self.decode(item, arrays) for key, item in data.items()}
        name = data[TYPE]
        cls = self._classes.get(name) if isinstance(name, str) else None
        if cls is None:
            raise ProjectError(f"unknown kind of value {name!r}")
        known, given = {field.name: field for field in dataclasses.fields(cls)}, data.keys() - {TYPE}
        wanted = {name for name, field in known.items() if field.default is dataclasses.MISSING}
        for what, fields in (("lacks", wanted - given), ("has an unknown", given - known.keys())):
            if fields:
                raise ProjectError(f"{name} {what} field {', '.join(sorted(fields))}")
        values = {key: self.decode(item, arrays) for key, item in data.items() if key != TYPE}
        wrong = [key for key, value in values.items() if not _fits(value, self._hints[name][key])]
        if wrong:
            raise ProjectError(f"{name} has a field {wrong[0]} of the wrong kind")
        try:
            return cls(**values)
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise ProjectError(f"{name} does not hold together: {error}") from None

    @staticmethod
    def _decode_array(data: dict, arrays: dict[str, np.ndarray]) -> np.ndarray:
        name, dtype = data[ARRAY], data.get("dtype")
        if not isinstance(name, str) or not isinstance(dtype, str) or len(data) != 2:
            raise ProjectError(f"a value holds {list(data)}, which is no array")
        if name not in arrays or dtype not in _DTYPES:
            raise ProjectError(f"array {name!r} is missing, or its dtype {dtype!r} is not known")
        stored, wanted = arrays[name].dtype, _DTYPES[dtype]
        if stored.kind != wanted.kind or stored.itemsize > wanted.itemsize:
            raise ProjectError(f"array {name!r} holds {stored}, which is no {wanted}")
        return arrays[name].astype(wanted)


def _fits(value: Any, hint: Any) -> bool:
    """Is `value`, decoded, what a field's annotation allows? What an annotation leaves open is allowed."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return any(_fits(value, one) for one in typing.get_args(hint))
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if type(value) is not tuple:
            return False
        if len(args) == 2 and args[1] is ...:
            return all(_fits(item, args[0]) for item in value)
        return len(value) == len(args) and all(map(_fits, value, args))
    if origin is dict:
        return type(value) is dict and all(_fits(k, args[0]) and _fits(v, args[1]) for k, v in value.items())
    kind = origin or hint
    if kind is float:
        return type(value) in (int, float)
    if kind in (int, bool, str):
        return type(value) is kind
    return isinstance(value, kind) if isinstance(kind, type) else True


def _known_dtype(array: np.ndarray) -> np.dtype:
    if array.dtype.name not in _DTYPES:
        raise TypeError(f"an array of {array.dtype} cannot be written")
    return array.dtype


def _narrow(array: np.ndarray) -> np.ndarray:
    """Integers in the narrowest dtype of their signedness that holds them; anything else as it is."""
    if array.dtype.kind not in "iu" or not array.size:
        return array
    kind, lo, hi = array.dtype.kind, int(array.min()), int(array.max())
    for size in (8, 16, 32):
        dtype = _DTYPES[f"{'u' if kind == 'u' else ''}int{size}"]
        if np.iinfo(dtype).min <= lo and hi <= np.iinfo(dtype).max:
            return array.astype(dtype)
    return array


def to_json(structure: Any) -> bytes:
    """UTF-8, the same bytes for the same structure."""
    return (json.dumps(structure, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def to_npz(arrays: dict[str, np.ndarray]) -> bytes:
    """A compressed .npz without timestamps: the same bytes for the same arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", _ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, member.getvalue())
    return buffer.getvalue()


def from_npz(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of `to_npz`; ProjectError where it is none, or where it would need a pickle to be read."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ProjectError(f"not a readable .npz: {error}") from None
