"""Files made to do harm: nothing of them runs, nothing hangs, and each ends in one line that begins with the path."""

from __future__ import annotations

import io
import pickle
import random
import re
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import dill
import pytest
import torch

from penni_hls.checkpoint import CheckpointError, load

from .hostile import (
    CONTAINERS,
    blob,
    entry,
    name,
    nested,
    number,
    numbers,
    old,
    storage,
    tensor,
    text,
    whole,
    zipped,
)  # fmt: skip
from .models import ResNet, randomised

SECONDS = 20  # a generous bound for a machine under load; the slowest takes about 2


def refusal(tmp_path: Path, data: bytes, suffix: str = ".pt") -> str:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(data)
    start = time.monotonic()
    with pytest.raises(CheckpointError) as error:
        load(path)
    assert time.monotonic() - start < SECONDS
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 600
    return message.removeprefix(f"{path}: ")


def attacks(target: Path) -> dict[str, bytes]:
    """Each would make `target` if anything of it ran. The last have no name that is known as harmful."""
    system, shell = name("posix", "system"), text(f"touch {target}")
    path = name("pathlib", "PosixPath") + text(str(target)) + b"\x85R"
    touch = name("operator", "methodcaller") + text("touch") + b"\x85R"
    write = f"open({str(target)!r}, 'w')"
    return {
        "REDUCE": system + shell + b"\x85R",
        "STACK_GLOBAL": text("os") + text("system") + b"\x93" + shell + b"\x85R",
        "INST": b"(" + shell + b"iposix\nsystem\n",
        "OBJ": b"(" + system + shell + b"o",
        "NEWOBJ": system + shell + b"\x85\x81",
        "NEWOBJ_EX": system + shell + b"\x85}\x92",
        "open": name("builtins", "open") + text(str(target)) + text("w") + b"\x86R",
        "eval": name("builtins", "eval") + text(write) + b"\x85R",
        "subprocess": name("subprocess", "check_call") + b"]" + text("touch") + b"a" + text(str(target)) + b"a\x85R",
        "dill type": name("dill._dill", "_load_type") + text("eval") + b"\x85R" + text(write) + b"\x85R",
        "__setstate__": name("types", "SimpleNamespace")
        + b")R}"
        + text("__setstate__")
        + system
        + b"sb"
        + shell
        + b"b",
        "__reduce__ of a class": name("torch.nn", "Module") + b")\x81}" + text("forward") + system + b"sb",
        "method": touch + path + b"\x85R",
        "getattr": name("builtins", "getattr") + path + text("touch") + b"\x86R)R",
        "append": name("queue", "Queue") + b")R" + system + shell + b"\x85\x86a",
        "torch.load": name("torch", "load") + text(str(target)) + b"\x85R",
        "parameter": name("torch._utils", "_rebuild_parameter") + b"(" + touch + path + b"\x85R\x89}tR",
        "type of tensor": name("torch._tensor", "_rebuild_from_type_v2") + touch + path + b"\x85})\x94\x87R",
    }


@pytest.mark.parametrize("attack", attacks(Path("x")))
@pytest.mark.parametrize("container", CONTAINERS)
def test_nothing_runs(attack: str, container: str, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    body = attacks(target)[attack]
    data = CONTAINERS[container](body if "nested" in container else entry(body))
    assert refusal(tmp_path, data)
    assert not target.exists()


def test_the_attacks_would_run(tmp_path: Path) -> None:
    """The test above could not fail if its pickles did nothing."""
    ran = set()
    for attack, body in attacks(tmp_path / "ran").items():
        try:
            pickle.loads(whole(entry(body)))
        except Exception:  # noqa: BLE001, S110 - some break after they ran
            pass
        if (tmp_path / "ran").exists():
            (tmp_path / "ran").unlink()
            ran.add(attack)
    assert {
        "REDUCE",
        "STACK_GLOBAL",
        "INST",
        "OBJ",
        "open",
        "eval",
        "subprocess",
        "__setstate__",
        "method",
        "getattr",
    } <= ran


class Runs:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return exec, (f"open({str(self.target)!r}, 'w')",)


@pytest.mark.parametrize("old_format", [False, True])
def test_dill_runs_nothing(old_format: bool, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    buffer = io.BytesIO()
    torch.save({"net": Runs(target)}, buffer, pickle_module=dill, _use_new_zipfile_serialization=not old_format)
    for data in (buffer.getvalue(), dill.dumps({"net": Runs(target)})):
        assert re.match(r"it asks for (builtins|__builtin__)\.exec, which could run code", refusal(tmp_path, data))
    assert not target.exists()


# Zips.


@pytest.mark.parametrize("member", ["../evil", "net/../../evil", "/etc/evil", "net\\..\\evil", "C:/evil", "net/\nevil"])
def test_a_zip_whose_members_lead_out_of_it(member: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, zipped(entry(b"N"), {member: b"x"}))
    assert message == "it is a zip with a member whose path leads out of it"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.pt"]


def test_a_zip_bomb(tmp_path: Path) -> None:
    data = zipped(entry(b"N"), {"net/data/0": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    assert len(data) < 100_000
    assert refusal(tmp_path, data) == "it is a zip with compressed members; torch.save stores them as they are"


def test_a_zip_that_claims_more_than_it_has(tmp_path: Path) -> None:
    """Sizes of the directory beyond the file's: both fields of both members, patched."""
    data = zipped(entry(b"N"), {"net/data/0": b"12345678"})
    at = data.rindex(b"PK\x01\x02")
    claimed = (1 << 31).to_bytes(4, "little") * 2
    assert refusal(tmp_path, data[: at + 20] + claimed + data[at + 28 :]) == (
        "it is a zip whose members claim more bytes than it has"
    )


@pytest.mark.parametrize("members", [{"other/data.pkl": whole(b"}")}, {"net/constants.pkl": whole(b")")}])
def test_a_zip_of_something_else(members: dict[str, bytes], tmp_path: Path) -> None:
    assert "it is a" in refusal(tmp_path, zipped(entry(b"N"), members))


def test_a_zip_with_two_members_of_one_name(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped(entry(b"N"), {"net/byteorder": b"big"})
    assert "two of one name" in refusal(tmp_path, data)


def test_numbers_of_another_byte_order(tmp_path: Path) -> None:
    data = zipped(entry(b"N")).replace(b"little", b"big   ")
    assert refusal(tmp_path, data)


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


# Damage.


@pytest.fixture(scope="module")
def sound() -> dict[str, bytes]:
    """The same small network in each container."""
    model = randomised(ResNet((1, 1), (2, 4), "shortcut", "linear"))
    files = {}
    for kind, write in {
        "state, zip": lambda file: torch.save(model.state_dict(), file),
        "state, old format": lambda file: torch.save(model.state_dict(), file, _use_new_zipfile_serialization=False),
        "module, zip": lambda file: torch.save(model, file),
        "module, old format": lambda file: torch.save(model, file, _use_new_zipfile_serialization=False),
        "module, dill": lambda file: dill.dump(model, file),
    }.items():
        buffer = io.BytesIO()
        write(buffer)
        files[kind] = buffer.getvalue()
    return files


@pytest.mark.parametrize(
    "kind", ["state, zip", "state, old format", "module, zip", "module, old format", "module, dill"]
)
def test_damage_is_an_error_or_harmless(kind: str, sound: dict[str, bytes], tmp_path: Path) -> None:
    """Cut anywhere: refused. Bytes changed: refused or read, and never anything else."""
    whole_file, path, draw = sound[kind], tmp_path / "net.pt", random.Random(kind)
    path.write_bytes(whole_file)
    load(path)
    for _ in range(40):
        path.write_bytes(whole_file[: draw.randrange(len(whole_file))])
        with pytest.raises(CheckpointError):
            load(path)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole_file)
        for _ in range(draw.choice((1, 1, 2, 8))):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path.write_bytes(damaged)
        try:
            load(path)
        except CheckpointError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    assert refused > 10
