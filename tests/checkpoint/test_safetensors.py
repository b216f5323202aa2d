"""safetensors files that the library wrote, and damaged ones."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file

from penni_hls.checkpoint import load

from .hostile import refusal, survive
from .models import ResNet, decomposed, randomised

NAME = "net.safetensors"


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    made = decomposed(randomised(ResNet((1, 1, 1), (4, 8, 16), None, "linear")).state_dict())
    return {key: value.contiguous() for key, value in made.items()}


@pytest.mark.parametrize("name", ["net.safetensors", "net.bin"])
def test_the_same_network_as_from_torch(name: str, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    save_file({f"module.{key}": value for key, value in state.items()}, tmp_path / name, {"format": "pt"})
    torch.save(state, tmp_path / "net.pt")
    found, want = load(tmp_path / name), load(tmp_path / "net.pt")
    assert found.form == "safetensors" and found.quantized is None
    assert [node.name for node in found.graph] == [node.name for node in want.graph]
    for have, expected in zip(found.graph, want.graph):
        for field, value in vars(expected.op).items():
            np.testing.assert_array_equal(getattr(have.op, field), value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(dtype: torch.dtype, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    cast = {key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()}
    save_file(cast, tmp_path / "net.safetensors")
    basis = load(tmp_path / "net.safetensors").graph.by_name["conv1"].op.basis
    assert basis.dtype == np.float32
    np.testing.assert_array_equal(basis.reshape(5, 9), cast["conv1.basis"].float().numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {**s, "conv1.basis": torch.full((5, 9), float("nan"))}, "conv1.basis holds NaN or infinite values"),
        (lambda s: {**s, "conv1.basis": torch.full((5, 9), float("inf"))}, "conv1.basis holds NaN or infinite values"),
        (
            lambda s: {**s, "conv1.basis": torch.zeros(5, 9, dtype=torch.int8)},
            "conv1.basis holds int8 numbers, not weights",
        ),
        (lambda s: {**s, "conv1.basis": torch.zeros(0, 9)}, "conv1.basis is empty"),
        (
            lambda s: {**s, "conv1.basis": torch.zeros(5, 9, dtype=torch.float8_e5m2)},
            "conv1.basis holds F8_E5M2 numbers, not weights",
        ),
        (lambda s: {**s, "a\nb": torch.zeros(1)}, "the name of an entry is not plain text"),
        (lambda s: {}, "it holds no tensors"),
    ],
)
def test_what_is_no_network(change, message: str, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    assert refusal(tmp_path, save(change(state)), NAME) == message


def header(entries: object, data: bytes = b"") -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        (1 << 62).to_bytes(8, "little") + b"{}",
        (1 << 24).to_bytes(8, "little") + b"{" + bytes(100),
        header(b"{" * 10_000),
        header(b'{"a":' * 10_000),
        header({"a": {"dtype": "F32", "shape": [1 << 60, 1 << 60], "data_offsets": [0, 4]}}, bytes(4)),
        header({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}, bytes(4)),
        header({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, bytes(4)),
        header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}, bytes(4)),
        header({"a": {"dtype": "system", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
        header({"a": {"dtype": "F32", "shape": [1] * 50, "data_offsets": [0, 4]}}, bytes(4)),
    ],
)
def test_headers_that_cannot_be(data: bytes, tmp_path: Path) -> None:
    assert refusal(tmp_path, data, NAME)


def test_a_header_without_end(tmp_path: Path) -> None:
    """Longer than any network's, and there in full."""
    data = header(b'{"a":"' + b"x" * (17 << 20) + b'"}')
    assert refusal(tmp_path, data, NAME) == "it is truncated, or its header is longer than any network needs"


def test_damage_is_an_error_or_harmless(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    whole, path, draw = save(state), tmp_path / "net.safetensors", random.Random(0)
    for _ in range(40):
        refusal(tmp_path, whole[: draw.randrange(len(whole))], NAME)
    length = 8 + int.from_bytes(whole[:8], "little")

    def damaged() -> bytes:
        changed = bytearray(whole)
        changed[draw.randrange(length)] = draw.randrange(256)
        return bytes(changed)

    assert survive(path, (damaged() for _ in range(150))) > 50
