"""Vitis HLS and bambu, played by small scripts on PATH that record how they were called."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from penni_hls.backends.hls import compiler as hls_compiler
from penni_hls.backends.hls.emit import emit_hls
from penni_hls.backends.hls.gxx import write_changed
from penni_hls.errors import ToolError
from penni_hls.schedule import plan
from penni_hls.target.boards import load
from tests.networks import random_resnet

BOARD = load("pynq-z2")


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """A PATH with nothing on it yet."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def tool(path: Path, name: str, makes: str | None, status: int = 0, says: str = "") -> None:
    """An executable that records its arguments and folder in <name>.json, leaves the file `makes`, and exits."""
    script = path / name
    script.write_text(f"""#!{sys.executable}
import json, pathlib, sys
pathlib.Path(r"{path}", "{name}.json").write_text(json.dumps([sys.argv[1:], str(pathlib.Path.cwd())]))
makes = {makes!r}
if makes:
    file = pathlib.Path(makes)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("module penni_top; endmodule")
print({says!r})
sys.exit({status})
""")
    script.chmod(0o755)


def called(path: Path, name: str) -> tuple[list[str], Path]:
    arguments, folder = json.loads((path / f"{name}.json").read_text())
    return arguments, Path(folder)


def test_vitis_hls_runs_the_script_in_the_work_folder(path, tmp_path):
    tool(path, "vitis_hls", "build/solution/syn/verilog/penni_top.v")
    tool(path, "bambu", None)
    netlist = hls_compiler.synthesize(tmp_path / "hls", BOARD, tmp_path / "work")
    arguments, folder = called(path, "vitis_hls")
    assert arguments == ["-f", str(tmp_path / "hls" / "build.tcl"), "csim=0 export=0"]
    assert folder == tmp_path / "work"
    assert netlist.style == "vitis"
    assert [file.name for file in netlist.files] == ["penni_top.v"]
    assert netlist.directory == tmp_path / "work" / "build" / "solution" / "syn" / "verilog"
    assert not (path / "bambu.json").exists()


def test_bambu_is_called_as_it_was_tried(path, tmp_path):
    tool(path, "bambu", "penni_core.v")
    write_changed(emit_hls(plan(random_resnet(), BOARD)), tmp_path)
    netlist = hls_compiler.synthesize(tmp_path / "hls", BOARD, tmp_path / "work")
    arguments, folder = called(path, "bambu")
    hls = tmp_path / "hls"
    assert arguments == [
        str(hls / "penni_top.cpp"), "-Dpenni_top=penni_core", "--top-fname=penni_core",
        "--generate-interface=INFER", "--compiler=I386_CLANG16",
        "--device=xc7z020-1clg484-VVD", "--clock-period=8", "-O2", f"-I{hls}",
    ]  # fmt: skip
    assert folder == tmp_path / "work"
    assert netlist.style == "bambu" and netlist.directory == folder / "netlist"
    assert [file.name for file in netlist.files] == ["penni_core.v", "penni_top.v"]


def test_neither_is_here(path, tmp_path):
    said = r"^neither vitis_hls nor bambu was found on PATH; one of them turns the C\+\+ into Verilog$"
    with pytest.raises(ToolError, match=said):
        hls_compiler.synthesize(tmp_path / "hls", BOARD, tmp_path / "work")


def test_a_failure_shows_the_end_of_the_log(path, tmp_path):
    tool(path, "bambu", None, status=7, says="first\nsecond\n\nerror -> it went wrong\n")
    with pytest.raises(ToolError) as error:
        hls_compiler.synthesize(tmp_path / "hls", BOARD, tmp_path / "work")
    log = tmp_path / "work" / "bambu.log"
    assert str(error.value) == f"bambu failed with status 7: first / second / error -> it went wrong (all of it: {log})"


def test_no_verilog_is_a_failure_too(path, tmp_path):
    tool(path, "vitis_hls", None)
    with pytest.raises(ToolError, match=r"vitis_hls ended well, but left no penni_top\.v in .*verilog"):
        hls_compiler.synthesize(tmp_path / "hls", BOARD, tmp_path / "work")


VITIS = r"""
proc unknown {name args} { puts [list $name {*}$args]; return "" }
proc exit {} {}
set argv [list {ARGUMENT}]
source {SCRIPT}
"""


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh")
@pytest.mark.parametrize(("argument", "csim", "export"), [("", True, True), ("csim=0 export=0", False, False)])
def test_the_script_is_good_tcl(tmp_path, argument, csim, export):
    """Run build.tcl with every Vitis command replaced by one that prints it."""
    write_changed(emit_hls(plan(random_resnet(), BOARD)), tmp_path)
    script = VITIS.replace("ARGUMENT", argument).replace("SCRIPT", str(tmp_path / "hls" / "build.tcl"))
    done = subprocess.run(["tclsh"], input=script, capture_output=True, text=True, check=True)
    commands = [line.split()[0] for line in done.stdout.splitlines()]
    assert ("csim_design" in commands) == csim and ("export_design" in commands) == export
    for command in ("open_project", "set_top", "add_files", "set_part", "create_clock", "csynth_design"):
        assert command in commands
    assert f"{tmp_path}/hls/penni_top.cpp" in done.stdout
    assert not done.stderr
