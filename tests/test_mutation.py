"""The verification can fail: one wrong coefficient, one wrong shift, one lost beat each make it say so, and say where."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import penni_hls
from penni_hls.backends.engines import Simulation

pytestmark = pytest.mark.slow

LAYER = "layer2.0.conv1.mac"
INSTANCE = LAYER.replace(".", "_")


@pytest.fixture
def project(small_project: Path, tmp_path: Path) -> Path:
    """A copy that a test may change; a simulator that was built for the original is taken along."""
    return shutil.copytree(small_project, tmp_path / "project")


def replace_once(path: Path, pattern: str, change: Callable[[re.Match], str]) -> None:
    text, count = re.subn(pattern, change, path.read_text(), count=1)
    assert count == 1, f"{path.name} holds no {pattern}"
    path.write_text(text)


def simulate(project: Path, engine: str, **options) -> Simulation:
    return penni_hls.simulate(penni_hls.load(project), engine, count=2, **options)


def assert_found(result: Simulation) -> None:
    """Not bit-exact, and laid at the door of the operator that was changed."""
    assert not result.bit_exact
    assert result.first_mismatch is not None and result.first_mismatch.operator == LAYER
    assert result.first_mismatch.expected != result.first_mismatch.got


def flip_lowest_bit(match: re.Match) -> str:
    return match[1] + str(int(match[2]) ^ 1)


# ---- C++ -------------------------------------------------------------------------------------------------------------------


def test_csim_finds_a_wrong_coefficient(project):
    header = project / "hls" / "layers" / f"{INSTANCE}.hpp"
    replace_once(header, r"(?s)(program\(int index\).*?=\s*\{\s*\{\s*)(\d+)", flip_lowest_bit)
    assert_found(simulate(project, "csim"))


def test_csim_finds_a_wrong_shift(project):
    header = project / "hls" / "layers" / f"{INSTANCE}.hpp"
    replace_once(header, r"(const int SHIFT = )(\d+)", lambda m: m[1] + str(int(m[2]) + 1))
    assert_found(simulate(project, "csim"))


@pytest.mark.parametrize("bounded", [False, True])
def test_csim_finds_a_lost_beat(project, bounded):
    """A fork that forgets one beat of a frame: its readers wait for it for ever."""
    header = project / "hls" / "penni_fork.hpp"
    replace_once(header, r"(out0\.write\(value\);\s*out1\.write\(value\);)", lambda m: f"if (beat != 5) {{ {m[1]} }}")
    result = simulate(project, "csim", bounded=bounded)
    assert not result.bit_exact
    assert "_fork_to_" in result.problem and "empty" in result.problem


# ---- RTL -------------------------------------------------------------------------------------------------------------------


def test_rtl_finds_a_wrong_coefficient(project):
    memory = project / "rtl" / "mem" / f"penni_i_{INSTANCE}_program.mem"
    words = memory.read_text().split()
    words[0] = f"{int(words[0], 16) ^ 1:0{len(words[0])}x}"
    memory.write_text("\n".join(words) + "\n")
    assert_found(simulate(project, "rtl"))


def test_rtl_finds_a_wrong_shift(project):
    source = project / "rtl" / f"penni_i_{INSTANCE}.sv"
    replace_once(source, r"(\.SHIFT\()(\d+)", lambda m: m[1] + str(int(m[2]) + 1))
    result = simulate(project, "rtl", layer=LAYER)
    assert_found(result)


def test_rtl_finds_a_lost_beat(project):
    """The operator swallows the first beat after reset."""
    source = project / "rtl" / f"penni_i_{INSTANCE}.sv"
    text = source.read_text()
    assert ".in_valid_i,\n" in text
    swallow = (
        "  logic lost_q;\n"
        "  always_ff @(posedge clk_i) if (!rst_ni) lost_q <= 1'b0; else if (in_valid_i && in_ready_o) lost_q <= 1'b1;\n"
    )
    text = text.replace(".in_valid_i,\n", ".in_valid_i(in_valid_i && lost_q),\n", 1)
    head, tail = text.split(");\n", 1)
    source.write_text(f"{head});\n{swallow}{tail}")
    assert_found(simulate(project, "rtl", layer=LAYER))
