"""Pickles put together opcode by opcode, and the containers that torch and dill keep them in."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping

MAGIC = 0x1950A86A20F9469CFC6C


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
