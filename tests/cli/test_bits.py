"""Bits of bases and coefficients on the command line: given, stored in a checkpoint, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import penni_hls
from penni_hls.checkpoint import load
from penni_hls.ir.bits import Bits

WIDTHS = "8/4,conv1=3/5"


def widths(project: Path) -> dict[str, int]:
    return {row["name"]: row["weight_bits"] for row in penni_hls.load(project).layers if row["weight_bits"]}


def test_each_layer_gets_its_own(small_checkpoint: Path, tmp_path: Path, command) -> None:
    done = command("generate", small_checkpoint, "--bits", WIDTHS, "--copies", 1, "-o", tmp_path / "p", "--json")
    assert done.code == 0 and done.json["bits"] == WIDTHS and done.json["bits_chosen"] is None
    found = widths(tmp_path / "p")
    assert (found.pop("conv1.basis"), found.pop("conv1.mac")) == (3, 5)
    assert {bits for name, bits in found.items() if name.endswith(".basis")} == {8}
    assert {bits for name, bits in found.items() if name.endswith(".mac")} == {4}
    assert penni_hls.load(tmp_path / "p").manifest["options"]["bits"] == WIDTHS


@pytest.mark.parametrize(("options", "bits"), [(("--coef-bits", 4), "8/4"), (("--basis-bits", 5), "5/8")])
def test_one_number_is_for_all_layers(options, bits, small_checkpoint: Path, tmp_path: Path, command) -> None:
    done = command("generate", small_checkpoint, *options, "-o", tmp_path / "p", "--json")
    assert (done.code, done.json["bits"]) == (0, bits)


def test_a_checkpoint_may_store_them(small_checkpoint: Path, tmp_path: Path, command) -> None:
    path = tmp_path / "net.penni"
    assert command("export", small_checkpoint, "-o", path, "--bits", WIDTHS).code == 0
    stored = load(path).bits
    assert stored and stored["conv1"] == Bits(3, 5) and stored["linear"] == Bits(8, 4)
    assert f"Bits of bases/coefficients, for 'generate': {WIDTHS}" in command("inspect", path).out
    assert command("inspect", path, "--json").json["bits"] == WIDTHS
    done = command("generate", path, "-o", tmp_path / "p", "--json")
    assert (done.code, done.json["bits"]) == (0, WIDTHS)
    other = command("generate", path, "-o", tmp_path / "p", "--coef-bits", 6, "--json")
    assert (other.code, other.json["bits"]) == (0, "8/6")
    again = tmp_path / "again.penni"
    assert command("export", path, "-o", again).code == 0 and load(again).bits == stored


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--bits", "4"), "'4' is not a pair of widths; write BASIS/COEFFICIENTS, such as 8/4"),
        (("--bits", "9/8"), "9 basis bits; 2 to 8 are possible"),
        (
            ("--bits", "8/8,conv9=4/4"),
            "'conv9' is no layer with weights of this network; 'penni-hls inspect' lists them",
        ),
        (
            ("--bits", "8/4", "--coef-bits", "4"),
            "--coef-bits and --bits exclude each other; '--bits 8/4' is for all layers",
        ),
        (("--bits", "8/4", "--max-drop", "1"), "--max-drop is a number of points, 0 to 100, and goes with --bits auto"),
        (("--max-drop", "-1"), "--max-drop is a number of points, 0 to 100, and goes with --bits auto"),
        (("--max-drop", "nan"), "--max-drop is a number of points, 0 to 100, and goes with --bits auto"),
    ],
)
def test_errors_are_one_line(options, error, small_checkpoint: Path, tmp_path: Path, command) -> None:
    done = command("generate", small_checkpoint, "-o", tmp_path / "p", *options)
    assert (done.code, done.out, done.err) == (2, "", f"penni-hls: error: {small_checkpoint}: {error}\n")
    assert not (tmp_path / "p").exists()


def test_only_penni_files_store_them(small_checkpoint: Path, tmp_path: Path, command) -> None:
    done = command("export", small_checkpoint, "-o", tmp_path / "net.onnx", "--bits", WIDTHS)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"penni-hls: error: {tmp_path / 'net.onnx'}: --bits goes into a .penni file without an integer network; leave it"
        " away\n"
    )
