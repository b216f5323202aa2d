"""Bare parts and what boards say of their processor: read, refused, planned for."""

from __future__ import annotations

from pathlib import Path

import pytest

from penni_hls.errors import BoardError
from penni_hls.target import boards
from penni_hls.target.resources import Resources


def test_parts_of_boards_have_what_their_boards_say() -> None:
    for name in boards.names():
        board = boards.load(name)
        assert boards.of_part(board.part).device == board.device, name
        assert boards.of_part(board.part).family == board.family


@pytest.mark.parametrize(
    ("part", "have"),
    [
        ("xc7a100tcsg324-1", Resources(63400, 126800, 240, 135)),
        ("xc7z035ffg676-2L", Resources(171900, 343800, 900, 500)),
        ("xczu15eg-ffvb1156-2-e", Resources(341280, 682560, 3528, 744, 112)),
        ("xcku5p-ffvb676-2-e", Resources(216960, 433920, 1824, 480, 64)),
    ],
)
def test_a_part_names_its_device(part: str, have: Resources) -> None:
    board = boards.of_part(part, {"lut": 0.5})
    assert (board.device, board.processor, board.part, board.usable.lut) == (have, boards.BARE, part, 0.5)


@pytest.mark.parametrize("part", ["xc7a100t", "xc7a100tcsg324", "xczu3eg", "; exec rm", "", "10CX220"])
def test_what_is_no_part(part: str) -> None:
    with pytest.raises(
        BoardError, match=r"give a part as Vivado names it, with package and speed grade, such as xc7a100t"
    ):
        boards.of_part(part)


@pytest.mark.parametrize("part", ["xc7z990clg400-1", "xczu1eg-sbva484-1-i", "xcvu440-flga2892-1-c"])
def test_a_device_that_is_not_known(part: str) -> None:
    with pytest.raises(
        BoardError, match=rf"^part '{part}': its device is not known here; there are xc7z007s, .*board file"
    ):
        boards.of_part(part)


def test_generate_for_a_part(small_checkpoint: Path, tmp_path: Path, command) -> None:
    done = command("generate", small_checkpoint, "--part", "xc7a100tcsg324-1", "-o", tmp_path / "p", "--json")
    assert done.code == 0 and done.json["clock_mhz"] == 125.0
    assert "for the part xc7a100tcsg324-1" in (tmp_path / "p" / "README.md").read_text()
    assert "set_part xc7a100tcsg324-1" in (tmp_path / "p" / "hls" / "build.tcl").read_text()


def test_board_and_part_exclude_each_other(small_checkpoint: Path, tmp_path: Path, command) -> None:
    words = ("--board", "pynq-z2", "--part", "xc7a100tcsg324-1", "-o", tmp_path / "p")
    done = command("generate", small_checkpoint, *words)
    assert (done.code, done.err) == (
        2, "penni-hls: error: --board and --part exclude each other: a board has its part\n"
    )  # fmt: skip


# The crystal decides the clock: Vivado assumes 33.33 MHz where it knows nothing of the board.
CRYSTALS = {
    "arty-z7-20": "50", "pynq-z1": "50", "pynq-z2": "50", "zedboard": "33.333333", "zybo-z7-10": "33.333333",
    "zybo-z7-20": "33.333333", "kv260": "33.333", "ultra96-v2": "33.333", "zcu104": "33.33",
}  # fmt: skip


def test_every_board_says_its_crystal() -> None:
    found = {name: dict(boards.load(name).preset) for name in boards.names()}
    keys = {"zynq7": "PCW_CRYSTAL_PERIPHERAL_FREQMHZ", "zynqmp": "PSU__PSS_REF_CLK__FREQMHZ"}
    assert {name: preset[keys[boards.load(name).processor]] for name, preset in found.items()} == CRYSTALS
    assert all("PCW_UIPARAM_DDR_PARTNO" in found[name] for name, mhz in CRYSTALS.items() if mhz == "50")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("preset = 5", "preset is no table; [preset] gives properties of the processor's block"),
        ("[preset]\nPSU__X = 1", r"preset.PSU__X is no property of a zynq7 (PCW_\w+|preset)"),
        ("[preset]\nPCW_X = true", "preset.PCW_X is True; it must be text or a number"),
        ('[preset]\n"PCW_X; exec rm" = 1', r"preset.PCW_X; exec rm is no property of a zynq7 (PCW_\w+|preset)"),
    ],
)
def test_a_bad_preset(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    whole = (Path(boards.__file__).parent / "pynq-z2.toml").read_text()
    front = whole[: whole.index("# Of the processor")]
    path.write_text(f"{text}\n{front}" if "[" not in text else f"{front}\n{text}")
    with pytest.raises(BoardError) as error:
        boards.load(str(path))
    assert str(error.value) == f"board file {path}: {said}"
