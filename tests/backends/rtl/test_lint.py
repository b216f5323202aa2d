"""Every hand-written module, and every wrapper of the operator tests' cases, is clean under `verilator --lint-only -Wall`."""

from pathlib import Path

import pytest

from penni_hls.backends.rtl import verilator
from penni_hls.backends.rtl.emit import emit_instance, hand_written, instance_module
from penni_hls.files import HW
from penni_hls.ir.graph import Node

from ...ir.ops.cases import CASES

MODULES = sorted(path.stem for path in (HW / "rtl").glob("*.sv"))
ALL = [case for cases in CASES.values() for case in cases]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of rtl/: the hand-written modules and the wrappers of all cases."""
    folder = tmp_path_factory.mktemp("lint")
    files = hand_written()
    for case in ALL:
        files |= emit_instance(Node(case.id, case.op, ("x",) * len(case.inputs)), case.folding)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "rtl"


def sources(folder: Path, module: str) -> list[Path]:
    own = [folder / f"{module}.sv", folder / f"{module}_adders.sv"]
    return [folder / f"{name}.sv" for name in MODULES if name != module] + [path for path in own if path.exists()]


@pytest.mark.parametrize("module", MODULES)
def test_module(module: str, folder: Path) -> None:
    assert verilator.lint(sources(folder, module), module) == ""


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_wrapper(case, folder: Path) -> None:
    module = instance_module(case.id)
    assert verilator.lint(sources(folder, module), module) == ""


def test_lint_sees_a_width_mismatch(tmp_path: Path) -> None:
    file = tmp_path / "bad.sv"
    file.write_text("module bad (input logic [7:0] a_i, output logic [3:0] b_o);\n  assign b_o = a_i;\nendmodule\n")
    assert "WIDTHTRUNC" in verilator.lint([file], "bad")
