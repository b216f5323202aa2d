"""Files made to do harm: nothing of them runs, nothing hangs, and each ends in one line that begins with the path."""

from __future__ import annotations

import io
import pickle
import random
import re
import zipfile
from pathlib import Path

import dill
import pytest
import torch

from penni_hls.checkpoint import CheckpointError, load

from .hostile import CONTAINERS, entry, name, refusal, survive, text, whole, zipped
from .models import ResNet, randomised


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


class Executes:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return exec, (f"open({str(self.target)!r}, 'w')",)


@pytest.mark.parametrize("old_format", [False, True])
def test_dill_runs_nothing(old_format: bool, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    buffer = io.BytesIO()
    torch.save({"net": Executes(target)}, buffer, pickle_module=dill, _use_new_zipfile_serialization=not old_format)
    for data in (buffer.getvalue(), dill.dumps({"net": Executes(target)})):
        assert re.match(r"it asks for (builtins|__builtin__)\.exec, which could run code", refusal(tmp_path, data))
    assert not target.exists()


# Zips.


@pytest.mark.parametrize("member", ["../evil", "net/../../evil", "/etc/evil", "net\\..\\evil", "C:/evil", "net/\nevil"])
def test_a_zip_whose_members_lead_out_of_it(member: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, zipped(entry(b"N"), {member: b"x"}))
    assert message.startswith("it is a zip with a member whose path leads out of it, ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.pt"]


def test_a_zip_bomb(tmp_path: Path) -> None:
    data = zipped(entry(b"N"), {"net/data/0": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    assert len(data) < 100_000
    assert refusal(tmp_path, data) == "it is a zip with compressed or encrypted members; torch stores them as they are"


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
    damaged = (_damaged(whole_file, draw) for _ in range(150))
    assert survive(path, damaged) > 10


def _damaged(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8))):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)
