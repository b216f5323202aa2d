"""What pickles of torch and dill name: storages and tensors. Their numbers lie outside the pickle and stay unread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..pickles import Budget, Name, PickleError, Reader, Record, short

# What a storage class holds: the name of its numbers, bytes each. As torch names them, torch.<name>Storage.
STORAGES = {
    "Float": ("float32", 4), "Half": ("float16", 2), "BFloat16": ("bfloat16", 2), "Double": ("float64", 8),
    "Long": ("int64", 8), "Int": ("int32", 4), "Short": ("int16", 2), "Char": ("int8", 1), "Byte": ("uint8", 1),
    "Bool": ("bool", 1), "ComplexFloat": ("complex64", 8), "ComplexDouble": ("complex128", 16), "Untyped": ("uint8", 1),
    "QInt8": ("qint8", 1), "QUInt8": ("quint8", 1), "QInt32": ("qint32", 4), "QUInt4x2": ("quint4x2", 1),
    "QUInt2x4": ("quint2x4", 1),
}  # fmt: skip

# Calls that no network needs. None of them would run in any case: refusing them makes the error plain.
_HARMFUL_MODULES = frozenset(
    "os posix nt subprocess sys importlib runpy socket shutil pty ctypes webbrowser code pdb commands imp".split()
)
_HARMFUL_NAMES = frozenset("eval exec execfile open compile __import__ input breakpoint file".split())
_BUILTINS = ("builtins", "__builtin__", "io", "_io")


@dataclass(frozen=True, eq=False, slots=True)
class Storage:
    """The numbers of one or several tensors. key: where they lie; data: their bytes, where nested in the pickle."""

    dtype: str
    itemsize: int
    numel: int
    key: str
    data: bytes | None = None

    def with_data(self, data: bytes) -> Storage:
        return replace(self, data=data)


@dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    """A view of a storage, in elements; nothing is checked yet."""

    storage: Storage
    offset: Any
    shape: Any
    strides: Any


class TorchReader(Reader):
    """storages: those that the pickle refers to, by key; dill: whether names of dill occur in it."""

    def __init__(self, budget: Budget, load_bytes: Callable[[bytes], Storage] | None = None) -> None:
        """load_bytes: reads a nested file of torch, the argument of torch.storage._load_from_bytes."""
        self.storages: dict[str, Storage] = {}
        self.dill = False
        self._budget, self._load_bytes = budget, load_bytes

    def name(self, name: Name) -> None:
        self.dill = self.dill or name.module.partition(".")[0] == "dill"

    def call(self, function: Name, args: tuple) -> object:
        _refuse_harmful(function)
        match (function.module, function.name), args:
            case ("torch._tensor", "_rebuild_from_type_v2"), (Name() as inner, _, tuple() as inner_args, *_):
                return _tensor(inner, inner_args)
            case ("torch.storage", "_load_from_bytes"), (bytes() as data,):
                if self._load_bytes is None:
                    raise PickleError("its pickle holds a file within a file within a file")
                self._budget.spend_bytes(len(data))
                return self._load_bytes(data)
            case ("dill._dill", "_load_type"), (str() as name,):
                return Name("builtins", name)
        return _tensor(function, args)

    def persistent(self, key: object) -> object:
        """What torch keeps outside a pickle: the numbers of a storage; in its old format also the code of classes."""
        match key:
            case ("storage", Name() as kind, str(place), _, int(numel)):
                return self._storage(kind, place, numel)
            case ("storage", Name() as kind, str(place), _, int(numel), None):  # the old format, no view of another
                return self._storage(kind, place, numel)
            case ("module", Name() | Record() as kind, *_):
                return kind
        return super().persistent(key)

    def _storage(self, kind: Name, key: str, numel: int) -> Storage:
        known = STORAGES.get(kind.name.removesuffix("Storage"))
        if known is None or kind.module.partition(".")[0] != "torch" or numel < 0:
            raise PickleError(f"it holds a {kind} of {numel} numbers, which is not supported")
        found = Storage(*known, numel, key)
        before = self.storages.setdefault(key, found)
        if (before.dtype, before.numel) != (found.dtype, found.numel):
            raise PickleError(f"its storage {short(key)} is named twice, with different sizes")
        return before


def _tensor(function: Name, args: tuple) -> Tensor | None:
    """The tensor that torch would rebuild, or None where the call does not make one."""
    match (function.module, function.name), args:
        case ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor"), (
            Storage() as storage,
            offset,
            shape,
            strides,
            *_,
        ):
            return Tensor(storage, offset, shape, strides)
        case ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"), (Tensor() as tensor, *_):
            return tensor
        case ("torch.nn.parameter", "Parameter"), (Tensor() as tensor, *_):
            return tensor
    return None


def _refuse_harmful(function: Name) -> None:
    root = function.module.partition(".")[0]
    if root in _HARMFUL_MODULES or function.module in _BUILTINS and function.name in _HARMFUL_NAMES:
        raise PickleError(f"it asks for {function}, which could run code; a network has no need of it (it was not run)")
