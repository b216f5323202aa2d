"""Files made to take all memory or time, and tensors that cannot be: one line, soon, and little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from .hostile import blob, entry, name, nested, number, numbers, old, refusal, storage, tensor, text, whole, zipped

# Tensors. `stored` has four float32 numbers.

SOUND = (number(0), numbers(2, 2), numbers(2, 1))
MISSHAPEN = {
    "absurd size": (storage(), number(0), numbers(1 << 40, 1 << 40), numbers(1, 1)),
    "size beyond the storage": (storage(), number(0), numbers(5), numbers(1)),
    "negative size": (storage(), number(0), numbers(-2, -2), numbers(2, 1)),
    "size of a huge integer": (storage(), number(0), numbers(1 << 40_000), numbers(1)),
    "size that is no number": (storage(), number(0), b"(" + text("4") + b"t", numbers(1)),
    "size that is no tuple": (storage(), number(0), number(4), numbers(1)),
    "size of too many dimensions": (storage(), number(0), numbers(*[1] * 100), numbers(*[1] * 100)),
    "stride beyond": (storage(), number(0), numbers(2, 2), numbers(1 << 40, 1)),
    "negative stride": (storage(), number(3), numbers(4), numbers(-1)),
    "stride 0": (storage(), number(0), numbers(1 << 14, 1 << 14), numbers(0, 0)),
    "strides too few": (storage(), number(0), numbers(2, 2), numbers(1)),
    "offset beyond": (storage(), number(1), numbers(2, 2), numbers(2, 1)),
    "offset far beyond": (storage(), number(1 << 70), numbers(2, 2), numbers(2, 1)),
    "negative offset": (storage(), number(-1), numbers(2, 2), numbers(2, 1)),
    "storage longer than its bytes": (storage(numel=1 << 50), *SOUND),
    "storage shorter than its bytes": (storage(numel=3), *SOUND),
    "negative storage": (storage(numel=-4), *SOUND),
    "storage of a huge integer": (storage(numel=1 << 40_000), *SOUND),
    "storage of wider numbers": (storage(kind="DoubleStorage"), *SOUND),
    "storage of no kind": (storage(kind="system"), *SOUND),
    "storage elsewhere": (storage(key="../../../etc/passwd"), *SOUND),
    "storage missing": (storage(key="7"), *SOUND),
}


@pytest.mark.parametrize("container", ["zip", "old format"])
@pytest.mark.parametrize("case", MISSHAPEN)
def test_a_tensor_that_cannot_be(case: str, container: str, tmp_path: Path) -> None:
    raw, body = bytes(16), entry(tensor(*MISSHAPEN[case]))
    data = zipped(body, {"net/data/0": raw}) if container == "zip" else old(body, {"0": raw})
    tracemalloc.start()
    message = refusal(tmp_path, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
    assert "architecture" not in message and "missing, but" not in message


@pytest.mark.parametrize("container", ["zip", "old format", "nested"])
def test_a_sound_tensor_is_read(container: str, tmp_path: Path) -> None:
    """The containers above are sound: with a tensor that can be, only the network is missing."""
    raw = bytes(16)
    body = entry(tensor(storage(), *SOUND))
    data = {
        "zip": lambda: zipped(body, {"net/data/0": raw}),
        "old format": lambda: old(body, {"0": raw}),
        "nested": lambda: whole(entry(tensor(nested(old(storage(), {"0": raw})), *SOUND))),
    }[container]()
    assert refusal(tmp_path, data).startswith("its architecture is not known")


def test_one_storage_seen_too_often(tmp_path: Path) -> None:
    """A few MB whose thousand tensors would be GBs."""
    raw = bytes(4 << 20)
    seen = tensor(storage(numel=1 << 20), number(0), numbers(1 << 20), numbers(1))
    body = b"}(" + b"".join(text(f"layer{i}.weight") + seen for i in range(1000)) + b"u"
    assert refusal(tmp_path, zipped(body, {"net/data/0": raw})) == "its tensors claim far more numbers than it has"


# Pickles that would take all memory or time.


def _laughs(levels: int) -> bytes:
    """((…, …), (…, …)): 2^levels leaves, shared."""
    return b")\x94" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(levels))


def _module(children: bytes) -> bytes:
    empty = b"}" + text("_parameters") + b"}s" + text("_buffers") + b"}s"
    return name("torch.nn", "Module") + b")\x81" + empty + text("_modules") + b"}" + children + b"sb"


def _deep_modules(levels: int) -> bytes:
    head = name("torch.nn", "Module") + b")\x81}" + text("_parameters") + b"}s" + text("_buffers") + b"}s"
    return (head + text("_modules") + b"}" + text("a")) * levels + b"N" + b"ssb" * levels


def _shared_modules(levels: int) -> bytes:
    body = _module(b"") + b"\x94"
    for level in range(levels):
        child = b"h" + bytes([level])
        body += _module(text("a") + child + b"s" + text("b") + child + b"s") + b"\x94"
    return body


def _collisions(count: int) -> bytes:
    return b"}(" + b"".join(number((2**61 - 1) * (i + 1)) + b"N" for i in range(count)) + b"u"


BOMBS: dict[str, Callable[[], bytes]] = {
    "tuples nested deep": lambda: whole(b")" + b"\x85" * 500_000),
    "and used as a key": lambda: whole(b"})" + b"\x85" * 500_000 + b"Ns"),
    "lists nested deep": lambda: whole(b"]" * 200_000 + b"a" * 199_999),
    "marks without end": lambda: whole(b"(" * 500_000),
    "laughs": lambda: whole(entry(_laughs(200))),
    "laughs as a key": lambda: whole(b"}" + _laughs(200) + b"Ns"),
    "laughs in a set": lambda: whole(b"\x8f(" + _laughs(200) + b"\x90"),
    "laughs as a shape": lambda: zipped(
        entry(tensor(storage(), number(0), _laughs(100), numbers(1))), {"net/data/0": bytes(16)}
    ),
    "more steps than a network takes": lambda: whole(b"}0" * 600_000),
    "sets without end": lambda: whole(b"(" + b"\x8f" * 1_100_000 + b"t"),
    "integers that collide": lambda: whole(_collisions(100_000)),
    "a long integer": lambda: whole(b"\x8b" + (4_000_000).to_bytes(4, "little") + b"\x7f" * 4_000_000),
    "a long decimal": lambda: whole(b"L" + b"9" * 4_000_000 + b"L\n"),
    "a memo index": lambda: whole(b"}r\xff\xff\xff\xff"),
    "a negative memo index": lambda: whole(b"}p-1\n"),
    "a memo index as text": lambda: whole(b"}p" + b"9" * 4000 + b"\n"),
    "bytes longer than the file": lambda: whole(b"\x8e" + (1 << 62).to_bytes(8, "little")),
    "a bytearray longer than the file": lambda: whole(b"\x96" + (1 << 40).to_bytes(8, "little")),
    "a frame longer than the file": lambda: whole(b"\x95" + (1 << 62).to_bytes(8, "little") + b"}"),
    "an extension": lambda: whole(b"\x82\x01"),
    "a buffer outside": lambda: whole(b"\x97"),
    "a persistent text": lambda: whole(b"Pstorage\n"),
    "modules shared without end": lambda: whole(_shared_modules(200)),
    "modules nested deep": lambda: whole(_deep_modules(3000)),
    "a module within itself": lambda: whole(_module(b"")[:-2] + text("me") + name("x", "y") + b"ssb"),
    "a dictionary within itself": lambda: whole(b"}\x94" + text("model") + b"h\x00s"),
    "one nested file again and again": lambda: whole(
        blob(old(b"(" + blob(bytes(200_000)) + b"t")) + b"\x940("
        + (name("torch.storage", "_load_from_bytes") + b"h\x00\x85R") * 50_000 + b"t"
    ),
    "a file in a file in a file": lambda: whole(entry(nested(old(nested(old(nested(old(b"N")))))))),
    "pairs again and again": lambda: whole(
        b"](" + b"N" * 1000 + b"e\x940(" + (name("collections", "OrderedDict") + b"h\x00\x85R") * 50_000 + b"t"
    ),
    "text again and again": lambda: whole(
        text("x" * 1_000_000) + b"\x940("
        + (name("_codecs", "encode") + b"h\x00" + text("latin1") + b"\x86R") * 50_000 + b"t"
    ),
    "a long name": lambda: whole(b"}" + text("x" * 1_000_000) + b"Ns"),
    "a name with a line end": lambda: whole(b"}" + text("a\nb") + b"Ns"),
    "a name of no text": lambda: whole(b"}N" + tensor(storage(), *SOUND) + b"s"),
    "many odd entries": lambda: whole(b"}(" + b"".join(text(str(i)) + b"N" for i in range(100_000)) + b"u"),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_does_not_go_off(bomb: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, BOMBS[bomb]())
