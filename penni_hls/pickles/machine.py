"""A pickle -> inert records of what it describes. No name in it is looked up, imported, built or called.

`pickletools.genops` splits the file into opcodes; the machine here executes them on a stack of its own. Where a pickle
asks for a class or a function it gets a `Name`; where it calls one it gets a `Record` of the name, the arguments and,
later, the state. Ordered dictionaries become dicts, sets become lists; the `Reader` of the kind of file knows what the
other calls mean. Every step, and every byte copied, counts against a `Budget`, so that a small file cannot cause much
work.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO

from ..errors import PenniError
from .records import Budget, Name, PickleError, Record

MAX_KEY = 1 << 60  # integers as keys: below the modulus of their hash, so that they cannot all collide


class Reader:
    """What one kind of file means by its names. This one accepts any name and knows the meaning of none."""

    def name(self, name: Name) -> None:
        """Raises PickleError where the file must not name this class or function."""

    def call(self, function: Name, args: tuple) -> object:
        """The value of a call, or None where only a record is kept of it. PickleError where it must not occur."""
        return None

    def persistent(self, key: object) -> object:
        """The value that the file keeps outside the pickle under `key`."""
        raise PickleError("its pickle refers to something outside itself that cannot be read")


def unpickle(stream: BinaryIO, budget: Budget, reader: Reader) -> object:
    """The value that the pickle at the stream's position describes; the stream is left behind it.

    Raises PickleError, one line, or whatever PenniError the reader raises.
    """
    try:
        return _Machine(budget, reader).run(stream)
    except PenniError:
        raise
    except Exception as error:  # a broken pickle can raise nearly anything
        raise PickleError("its pickle is truncated or damaged") from error


class _Machine:
    def __init__(self, budget: Budget, reader: Reader) -> None:
        self._budget, self._reader = budget, reader
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
                raise PickleError(f"its pickle uses {name}, which is not supported")
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
            raise PickleError("its pickle is damaged: an impossible index of its memo")
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
        elif not isinstance(target, Record):  # the items of an unknown container are dropped
            raise PickleError("its pickle is damaged: it appends to something other than a list")

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
            raise PickleError("its pickle is damaged: it sets items of something other than a dictionary")

    # Names, and what they are called with.

    def _name(self, module: object, name: object) -> None:
        if type(module) is not str or type(name) is not str:
            raise PickleError("its pickle is damaged: a name that is not text")
        named = Name(module, name)
        self._reader.name(named)
        self._stack.append(named)

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
        self._stack.append(self._reader.persistent(self._stack.pop()))

    def _call(self, function: object, args: object) -> object:
        if not isinstance(function, Name | Record) or type(args) is not tuple:
            raise PickleError("its pickle is damaged: it calls something other than a function")
        if isinstance(function, Record):
            return Record(function, args)
        known = self._reader.call(function, args)
        if known is not None:
            return known
        match (function.module, function.name), args:
            case ("collections", "OrderedDict"), ():
                return {}
            case ("collections", "OrderedDict"), (list() as pairs,):
                self._budget.spend(len(pairs))
                return {_key(key): value for key, value in pairs}
            case ("builtins" | "__builtin__", "set" | "frozenset"), (list() as items,):
                return items
            case ("_codecs", "encode"), (str() as text, "latin1" | "latin-1"):
                self._budget.spend_bytes(len(text))
                return text.encode("latin-1")
            case ("copyreg" | "copy_reg", "_reconstructor"), (Name() | Record() as kind, *_):
                return Record(kind, ())
        return Record(function, args)


def _key(key: object) -> object:
    """`key`, where comparing and hashing it is cheap; else a key of its own that equals no other."""
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
