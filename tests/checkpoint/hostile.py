"""Shared by the tests of hostile and damaged files.

Pickles put together opcode by opcode, the containers of torch and dill, damage, and the one line that reading such a
file must end in.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from penni_hls.checkpoint import CheckpointError, load

MAGIC = 0x1950A86A20F9469CFC6C
SECONDS = 20  # of processor time, a generous bound; the slowest takes about 2


@contextmanager
def soon() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < SECONDS


def refused(path: Path) -> str:
    """The one line that reading the file ends in, soon, without its path."""
    with soon(), pytest.raises(CheckpointError) as error:
        load(path)
    return one_line(path, error.value)


def one_line(path: Path, error: CheckpointError) -> str:
    message = str(error)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 600
    return message.removeprefix(f"{path}: ")


def refusal(folder: Path, data: bytes, name: str = "net.pt") -> str:
    """The same for a file of these bytes."""
    path = folder / name
    path.write_bytes(data)
    return refused(path)


def survive(path: Path, variants: Iterable[bytes]) -> int:
    """Each of these contents is read, or refused in one line; how many are refused."""
    count = 0
    with soon():
        for data in variants:
            path.write_bytes(data)
            try:
                load(path)
            except CheckpointError as error:
                one_line(path, error)
                count += 1
    return count


def flipped(data: bytes, seed: int) -> bytes:
    """`data` with one to five bytes changed."""
    rng = np.random.default_rng(seed)
    changed = np.frombuffer(data, np.uint8).copy()
    where = rng.integers(0, len(changed), rng.integers(1, 6))
    changed[where] = rng.integers(0, 256, len(where))
    return changed.tobytes()


class Runs:
    """Unpickled, it would run a command that makes the file `target`."""

    def __init__(self, target: Path) -> None:
        self.command = f"touch {target}"

    def __reduce__(self):
        return os.system, (self.command,)


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def blob(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def whole(body: bytes) -> bytes:
    return b"\x80\x04" + body + b"."


def entry(value: bytes) -> bytes:
    """{"state_dict": {"conv1.weight": value}}"""
    return b"}" + text("state_dict") + b"}" + text("conv1.weight") + value + b"ss"


def zipped(body: bytes, members: Mapping[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip as torch.save makes it: `members` beside data.pkl, by their whole names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("net/data.pkl", whole(body))
        archive.writestr("net/byteorder", b"little")
        for member, data in (members or {}).items():
            archive.writestr(member, data)
    return buffer.getvalue()


def old(body: bytes, storages: Mapping[str, bytes] | None = None, itemsize: int = 4) -> bytes:
    """The format of torch.save before the zip."""
    storages = storages or {}
    heads = (MAGIC, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}})
    data = b"".join(struct.pack("<q", len(raw) // itemsize) + raw for raw in storages.values())
    return b"".join(pickle.dumps(head, 2) for head in heads) + whole(body) + pickle.dumps(list(storages), 2) + data


def nested(data: bytes) -> bytes:
    """What a plain pickle holds for a storage: a file of its own."""
    return name("torch.storage", "_load_from_bytes") + blob(data) + b"\x85R"


def number(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def storage(key: str = "0", numel: int = 4, kind: str = "FloatStorage") -> bytes:
    return b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + number(numel) + b"tQ"


def tensor(stored: bytes, offset: bytes, shape: bytes, strides: bytes) -> bytes:
    """A call of torch._utils._rebuild_tensor_v2."""
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + stored + offset + shape + strides + b"\x89}tR"


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


CONTAINERS = {
    "zip": zipped,
    "old format": old,
    "plain pickle": whole,
    "nested in zip": lambda body: zipped(entry(nested(old(body)))),
    "nested in plain pickle": lambda body: whole(entry(nested(old(body)))),
}
