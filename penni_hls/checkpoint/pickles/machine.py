"""A pickle -> inert records of what it describes. No name in it is looked up, imported, built or called.

`pickletools.genops` splits the file into opcodes; the machine here plays them on a stack of its own. Where a pickle asks
for a class or a function it gets a `Name`; where it calls one it gets a `Record` of the name, the arguments and, later,
the state. Only what torch itself writes for tensors and ordered dictionaries is understood, and gives a `Tensor` (where
its numbers lie, unread) or a dict. Sets come as lists. Every step, and every byte that is copied, is paid from a
`Budget`, so that a small file cannot make much work.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from ...errors import CheckpointError
from .records import STORAGES, Budget, Name, Record, Storage, Tensor, short

MAX_KEY = 1 << 60  # integers as keys: below the modulus of their hash, so that they cannot all collide

# Calls that no network needs. None of them would run in any case: this makes the error plain.
_HARMFUL_MODULES = frozenset(
    "os posix nt subprocess sys importlib runpy socket shutil pty ctypes webbrowser code pdb commands imp".split()
)
_HARMFUL_NAMES = frozenset("eval exec execfile open compile __import__ input breakpoint file".split())
_BUILTINS = ("builtins", "__builtin__", "io", "_io")


@dataclass(frozen=True, eq=False)
class Unpickled:
    """value: the pickled object; storages: those it refers to, by key; dill: whether names of dill occur."""

    value: object
    storages: dict[str, Storage]
    dill: bool


def unpickle(stream: BinaryIO, budget: Budget, load_bytes: Callable[[bytes], Storage] | None = None) -> Unpickled:
    """The object of the pickle at the stream's place; the stream is left behind it.

    load_bytes: reads the bytes of a nested file of torch, given to torch.storage._load_from_bytes.
    """
    machine = _Machine(budget, load_bytes)
    try:
        value = machine.run(stream)
    except CheckpointError:
        raise
    except Exception as error:  # a broken pickle can raise nearly anything
        raise CheckpointError("its pickle is truncated or damaged") from error
    return Unpickled(value, machine.storages, machine.dill)


class _Machine:
    def __init__(self, budget: Budget, load_bytes: Callable[[bytes], Storage] | None) -> None:
        self.storages: dict[str, Storage] = {}
        self.dill = False
        self._budget, self._load_bytes = budget, load_bytes
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []  # the stacks below each mark
        self._memo: dict[int, Any] = {}

    def run(self, stream: BinaryIO) -> object:
        for opcode, arg, _ in pickletools.genops(stream):
            self._budget.spend()
            name = opcode.name
            if name in _PUSHES:
                self._stack.append(arg)
            elif name in _VALUES:
                self._stack.append(_VALUES[name])
            elif name in _HANDLERS:
                _HANDLERS[name](self, arg)
            elif name not in ("PROTO", "FRAME", "STOP"):
                raise CheckpointError(f"its pickle uses {name}, which no network needs")
        return self._stack.pop()

    # Stack and memo.

    def mark(self, _: object) -> None:
        self._outer.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._outer.pop()
        return items

    def pop(self, _: object) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._since_mark()

    def pop_mark(self, _: object) -> None:
        self._since_mark()

    def dup(self, _: object) -> None:
        self._stack.append(self._stack[-1])

    def put(self, index: int) -> None:
        if not 0 <= index < 1 << 32:
            raise CheckpointError("its pickle is damaged: a place in the memo that cannot be")
        self._memo[index] = self._stack[-1]

    def get(self, index: int) -> None:
        self._stack.append(self._memo[index] if 0 <= index < 1 << 32 else self._memo[-1])

    def memoize(self, _: object) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    # Containers.

    def new(self, make: type) -> None:
        self._stack.append(make())

    def list_(self, _: object) -> None:
        items = self._since_mark()
        self._stack.append(items)

    def tuple_(self, _: object) -> None:
        items = self._since_mark()
        self._stack.append(tuple(items))

    def tuple_of(self, count: int) -> None:
        items = tuple(self._stack[-count:])
        if len(items) < count:
            raise IndexError
        del self._stack[-count:]
        self._stack.append(items)

    def dict_(self, _: object) -> None:
        items = self._since_mark()
        self._stack.append({})
        self._set_items(items)

    def append(self, _: object) -> None:
        item = self._stack.pop()
        self._extend([item])

    def appends(self, _: object) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is list:
            target.extend(items)
        elif not isinstance(target, Record):  # what an unknown container holds, nobody needs
            raise CheckpointError("its pickle is damaged: it adds to what is no list")

    def setitem(self, _: object) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set_items([key, value])

    def setitems(self, _: object) -> None:
        self._set_items(self._since_mark())

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is dict:
            target.update(zip(map(_key, items[::2]), items[1::2], strict=True))
        elif not isinstance(target, Record):
            raise CheckpointError("its pickle is damaged: it sets items of what is no dictionary")

    # Names, and what they are called with.

    def _name(self, module: object, name: object) -> None:
        if type(module) is not str or type(name) is not str:
            raise CheckpointError("its pickle is damaged: a name that is no text")
        self.dill = self.dill or module.partition(".")[0] == "dill"
        self._stack.append(Name(module, name))

    def global_(self, arg: str) -> None:
        module, _, name = arg.partition(" ")
        self._name(module, name)

    def stack_global(self, _: object) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._name(module, name)

    def reduce(self, _: object) -> None:
        args, function = self._stack.pop(), self._stack.pop()
        self._stack.append(self._call(function, args))

    def newobj_ex(self, _: object) -> None:
        self._stack.pop()  # keyword arguments
        self.reduce(None)

    def inst(self, arg: str) -> None:
        args = tuple(self._since_mark())
        self.global_(arg)
        self._stack.append(self._call(self._stack.pop(), args))

    def obj(self, _: object) -> None:
        function, *args = self._since_mark()
        self._stack.append(self._call(function, tuple(args)))

    def build(self, _: object) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, Record):
            target.state = state

    def persistent(self, _: object) -> None:
        """What torch keeps outside a pickle: the numbers of a storage; in its old format also the code of classes."""
        match self._stack.pop():
            case ("storage", Name() as kind, str(key), _, int(numel)):
                self._stack.append(self._storage(kind, key, numel))
            case ("storage", Name() as kind, str(key), _, int(numel), None):  # the old format, no view of another
                self._stack.append(self._storage(kind, key, numel))
            case ("module", Name() | Record() as kind, *_):
                self._stack.append(kind)
            case _:
                raise CheckpointError("its pickle refers to something outside itself that is no tensor")

    def _storage(self, kind: Name, key: str, numel: int) -> Storage:
        known = STORAGES.get(kind.name.removesuffix("Storage"))
        if known is None or kind.module.partition(".")[0] != "torch" or numel < 0:
            raise CheckpointError(f"it holds a {kind} of {numel} numbers, which is not understood")
        found = Storage(*known, numel, key)
        before = self.storages.setdefault(key, found)
        if (before.dtype, before.numel) != (found.dtype, found.numel):
            raise CheckpointError(f"its storage {short(key)} is named twice, with different sizes")
        return before

    def _call(self, function: object, args: object) -> object:
        if not isinstance(function, Name | Record) or type(args) is not tuple:
            raise CheckpointError("its pickle is damaged: it calls what is no function")
        if isinstance(function, Record):
            return Record(function, args)
        _refuse_harmful(function)
        match (function.module, function.name), args:
            case ("torch._tensor", "_rebuild_from_type_v2"), (Name() as inner, _, tuple() as inner_args, *_):
                return _torch_call(inner, inner_args) or Record(function, args)
            case ("torch.storage", "_load_from_bytes"), (bytes() as data,):
                if self._load_bytes is None:
                    raise CheckpointError("its pickle holds a file within a file within a file")
                self._budget.spend_bytes(len(data))
                return self._load_bytes(data)
            case ("collections", "OrderedDict"), ():
                return {}
            case ("collections", "OrderedDict"), (list() as pairs,):
                self._budget.spend(len(pairs))
                return {_key(key): value for key, value in pairs}
            case ("builtins" | "__builtin__", "set" | "frozenset"), (list() as items,):
                return items
            case ("dill._dill", "_load_type"), (str() as name,):
                return Name("builtins", name)
            case ("_codecs", "encode"), (str() as text, "latin1" | "latin-1"):
                self._budget.spend_bytes(len(text))
                return text.encode("latin-1")
            case ("copyreg" | "copy_reg", "_reconstructor"), (Name() | Record() as kind, *_):
                return Record(kind, ())
        return _torch_call(function, args) or Record(function, args)


def _torch_call(function: Name, args: tuple) -> Tensor | None:
    """The tensor that torch would rebuild, or None where the call is no such thing."""
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
        raise CheckpointError(
            f"it asks for {function}, which could run code; a network has no need of it (it was not run)"
        )


def _key(key: object) -> object:
    """`key`, where comparing and hashing it is cheap; else something that nobody asks for."""
    if type(key) in (str, bytes, float, bool) or key is None or type(key) is int and abs(key) < MAX_KEY:
        return key
    return object()


_PUSHES = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8"
    " BYTEARRAY8 UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 FLOAT BINFLOAT".split()
)
_VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_HANDLERS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark, "POP": _Machine.pop, "POP_MARK": _Machine.pop_mark, "DUP": _Machine.dup,
    "PUT": _Machine.put, "BINPUT": _Machine.put, "LONG_BINPUT": _Machine.put, "MEMOIZE": _Machine.memoize,
    "GET": _Machine.get, "BINGET": _Machine.get, "LONG_BINGET": _Machine.get,
    "EMPTY_LIST": lambda machine, _: machine.new(list), "EMPTY_SET": lambda machine, _: machine.new(list),
    "EMPTY_DICT": lambda machine, _: machine.new(dict),
    "LIST": _Machine.list_, "FROZENSET": _Machine.list_, "TUPLE": _Machine.tuple_, "DICT": _Machine.dict_,
    "TUPLE1": lambda machine, _: machine.tuple_of(1), "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": _Machine.append, "APPENDS": _Machine.appends, "ADDITEMS": _Machine.appends,
    "SETITEM": _Machine.setitem, "SETITEMS": _Machine.setitems,
    "GLOBAL": _Machine.global_, "STACK_GLOBAL": _Machine.stack_global, "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce, "NEWOBJ_EX": _Machine.newobj_ex, "INST": _Machine.inst, "OBJ": _Machine.obj,
    "BUILD": _Machine.build, "BINPERSID": _Machine.persistent,
}  # fmt: skip
