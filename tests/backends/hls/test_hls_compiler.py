"""Vitis HLS and bambu, played by small scripts on PATH that record how they were called."""

from __future__ import annotations

import functools
import json
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
from tests import tcl
from tests.networks import random_resnet

BOARD = load("pynq-z2")


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """A PATH with nothing on it yet."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def tool(
    path: Path, name: str, makes: str | None, status: int = 0, says: str = "", text: str = "module penni_top; endmodule"
) -> None:
    """An executable that records how it was called in <name>.json, leaves `text` in the file `makes`, and exits."""
    script = path / name
    script.write_text(f"""#!{sys.executable}
import json, os, pathlib, sys
pathlib.Path(r"{path}", "{name}.json").write_text(json.dumps(
    [sys.argv[1:], str(pathlib.Path.cwd()), os.environ.get("PENNI_HLS")]))
makes = {makes!r}
if makes:
    file = pathlib.Path(makes)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text({text!r})
print({says!r})
sys.exit({status})
""")
    script.chmod(0o755)


def called(path: Path, name: str) -> tuple[list[str], Path, str | None]:
    """Arguments, current folder and PENNI_HLS of the call."""
    arguments, folder, options = json.loads((path / f"{name}.json").read_text())
    return arguments, Path(folder), options


def source(folder: Path, depth: int = 100) -> hls_compiler.Source:
    return hls_compiler.Source(folder / "hls", "penni_top", "module penni_top; penni_core core (); endmodule\n", depth)


@pytest.mark.parametrize(("name", "before"), [("vitis_hls", ["-f"]), ("vitis-run", ["--mode", "hls", "--tcl"])])
def test_vitis_hls_runs_the_script_in_the_work_folder(name, before, path, tmp_path):
    """As it is called until 2024.2, and from 2025.1 on, where a script gets no arguments."""
    tool(path, name, "build/solution/syn/verilog/penni_top.v")
    tool(path, "bambu", None)
    netlist = hls_compiler.synthesize(source(tmp_path), BOARD, tmp_path / "work")
    arguments, folder, options = called(path, name)
    assert arguments == [*before, str(tmp_path / "hls" / "build.tcl")]
    assert (folder, options) == (tmp_path / "work", "csim=0 export=0 top=penni_top")
    assert netlist.style == "vitis"
    assert [file.name for file in netlist.files] == ["penni_top.v"]
    assert netlist.directory == tmp_path / "work" / "build" / "solution" / "syn" / "verilog"
    assert not (path / "bambu.json").exists()


# As bambu 2024.10 writes it: the top's name mangled, FIFOs of four places, by a parameter of module and instance.
MANGLED = "_Z10penni_coreRN3hls6streamI7ap_uintILi8EEEE"
BAMBU = f"""
module dataflow_fifo(clock, din); parameter BITSIZE_din=1, QUEUESIZE_LOG=2;
input clock; reg [QUEUESIZE_LOG-1:0] read_idx; reg circ_fifo [0:((1<<QUEUESIZE_LOG)-1)]; endmodule
module {MANGLED}_inner (clock); input clock; endmodule
module {MANGLED} (clock, s_axis_TDATA); input clock; input [7:0] s_axis_TDATA;
  dataflow_fifo #(.BITSIZE_din(8), .QUEUESIZE_LOG(2)) fifo_0 (.clock(clock));
  {MANGLED}_inner inner (.clock(clock));
endmodule
"""


def test_bambu_is_called_as_it_was_tried(path, tmp_path):
    tool(path, "bambu", "penni_core.v", text=BAMBU)
    write_changed(network(), tmp_path)
    netlist = hls_compiler.synthesize(source(tmp_path), BOARD, tmp_path / "work")
    arguments, folder, _ = called(path, "bambu")
    hls = tmp_path / "hls"
    assert arguments == [
        str(hls / "penni_top.cpp"), "-Dpenni_top=penni_core", "--top-fname=penni_core",
        "--generate-interface=INFER", "--compiler=I386_CLANG16",
        "--device=xc7z020-1clg484-VVD", "--clock-period=8", "-O2", f"-I{hls}",
    ]  # fmt: skip
    assert folder == tmp_path / "work"
    assert netlist.style == "bambu" and netlist.directory == folder / "netlist"
    assert [file.name for file in netlist.files] == ["penni_core.v", "penni_top.v"]


@pytest.mark.parametrize(
    ("depth", "places"), [(0, 2), (3, 2), (4, 3), (7, 3), (8, 4), (1000, 10), (1023, 10), (1024, 11)]
)
def test_the_fifos_of_bambu_hold_the_deepest_stream(depth, places, path, tmp_path):
    """A FIFO of 2^n places is full with 2^n - 1 words."""
    tool(path, "bambu", "penni_core.v", text=BAMBU)
    made = hls_compiler.synthesize(source(tmp_path, depth), BOARD, tmp_path / "work").directory / "penni_core.v"
    assert made.read_text() == BAMBU.replace("LOG=2", f"LOG={places}").replace("LOG(2)", f"LOG({places})")


def test_without_fifos_a_netlist_of_bambu_is_refused(path, tmp_path):
    tool(path, "bambu", "penni_core.v", text="module penni_core (clock);\nendmodule\n")
    hls_compiler.synthesize(source(tmp_path, 3), BOARD, tmp_path / "work")
    with pytest.raises(ToolError, match=r"^bambu's netlist in .*/work has no FIFO whose QUEUESIZE_LOG could be set"):
        hls_compiler.synthesize(source(tmp_path, 4), BOARD, tmp_path / "work")


def test_the_top_of_bambu_is_found_by_either_name(path, tmp_path):
    tool(path, "bambu", "penni_core.v", text=BAMBU)
    wrapper = hls_compiler.synthesize(source(tmp_path), BOARD, tmp_path / "work").directory / "penni_top.v"
    assert wrapper.read_text() == f"module penni_top; {MANGLED} core (); endmodule\n"
    tool(path, "bambu", "penni_core.v", text=BAMBU.replace(MANGLED, "penni_core"))
    wrapper = hls_compiler.synthesize(source(tmp_path), BOARD, tmp_path / "work").directory / "penni_top.v"
    assert wrapper.read_text() == source(tmp_path).wrapper


def test_no_top_in_the_netlist_of_bambu(path, tmp_path):
    tool(path, "bambu", "other.v", text=BAMBU.replace("penni_core", "other_core"))
    said = r"^bambu ended well, but left no module penni_core in .*/work \(by its mangled name: none\)$"
    with pytest.raises(ToolError, match=said):
        hls_compiler.synthesize(source(tmp_path), BOARD, tmp_path / "work")


def test_neither_is_here(path, tmp_path):
    said = r"^neither vitis_hls, vitis-run nor bambu was found on PATH; one of them turns the C\+\+ into Verilog$"
    with pytest.raises(ToolError, match=said):
        hls_compiler.synthesize(source(tmp_path), BOARD, tmp_path / "work")


def test_a_failure_shows_the_end_of_the_log(path, tmp_path):
    tool(path, "bambu", None, status=7, says="first\nsecond\n\nthird -> it went wrong\n")
    with pytest.raises(ToolError) as error:
        hls_compiler.synthesize(source(tmp_path), BOARD, tmp_path / "work")
    log = tmp_path / "work" / "bambu_output.log"
    assert str(error.value) == f"bambu failed with status 7: first / second / third -> it went wrong (all of it: {log})"


def test_a_failure_shows_the_first_error(path, tmp_path):
    says = (
        "INFO: begins\nERROR: [HLS 200-1] no licence\nERROR: [HLS 200-2] so it stops\nbuild.tcl: csynth_design failed"
    )
    tool(path, "vitis-run", None, status=1, says=says)
    said = r"^vitis-run failed with status 1: ERROR: \[HLS 200-1\] no licence / build.tcl: csynth_design failed \(all of it"
    with pytest.raises(ToolError, match=said):
        hls_compiler.synthesize(source(tmp_path), BOARD, tmp_path / "work")


def test_no_verilog_is_a_failure_too(path, tmp_path):
    tool(path, "vitis_hls", None)
    with pytest.raises(ToolError, match=r"vitis_hls ended well, but left no penni_top\.v in .*verilog"):
        hls_compiler.synthesize(source(tmp_path), BOARD, tmp_path / "work")


# Every Vitis command records itself in commands.txt; the one named FAILS ends with an error.
VITIS = r"""
proc unknown {name args} {
    set out [open commands.txt a]; puts $out [list $name {*}$args]; close $out
    if {[info exists ::env(FAILS)] && $name eq $::env(FAILS)} { error "no licence\nfor this" }
}
source SCRIPT
"""


@functools.cache
def network() -> dict[str, str | bytes]:
    return emit_hls(plan(random_resnet(blocks=1, widths=(2,), size=4, bases=1), BOARD))


def script(
    folder: Path, options: str | None = None, fails: str = ""
) -> tuple[subprocess.CompletedProcess, list[list[str]]]:
    """Run the build.tcl of a network: how it ended, and the commands of Vitis HLS that it called, as their words."""
    write_changed(network(), folder)
    (folder / "run.tcl").write_text(VITIS.replace("SCRIPT", str(folder / "hls" / "build.tcl")))
    env = {"FAILS": fails} | ({} if options is None else {"PENNI_HLS": options})
    done = tcl.run(folder / "run.tcl", folder, env)
    lines = (folder / "commands.txt").read_text().splitlines() if (folder / "commands.txt").exists() else []
    return done, [line.split() for line in lines]


STEPS = ("csim_design", "csynth_design", "cosim_design", "export_design")


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        (None, ["csim_design", "csynth_design", "export_design"]),
        ("", ["csim_design", "csynth_design", "export_design"]),
        ("csim=0 export=0", ["csynth_design"]),
        (" csim=0  cosim=1 ", ["csynth_design", "cosim_design", "export_design"]),
        ("csim=1 cosim=1 export=1", list(STEPS)),
    ],
)
def test_the_script_does_what_the_environment_says(tmp_path, options, steps):
    done, commands = script(tmp_path, options)
    assert (done.returncode, done.stderr) == (0, "")
    assert [words[0] for words in commands if words[0] in STEPS] == steps
    before = [words[0] for words in commands][: len(commands) - len(steps)]
    with_bench = "csim_design" in steps or "cosim_design" in steps
    assert before == [
        "open_project", "set_top", *["add_files"] * (3 if with_bench else 1),
        "open_solution", "set_part", "create_clock", "config_export",
    ]  # fmt: skip
    hls = tmp_path / "hls"
    flags = ["-cflags", "{-std=c++14", f"-I{hls}}}"]
    assert ["set_top", "penni_top"] in commands and ["set_part", "xc7z020clg400-1"] in commands
    assert ["add_files", f"{hls}/penni_top.cpp", *flags] in commands
    for words in commands:
        if words[0] in ("csim_design", "cosim_design"):
            assert words[1:] == ["-argv", "{penni_top", "2", f"{hls}/vectors}}"] + (
                ["-enable_dataflow_profiling"] if words[0] == "cosim_design" else []
            )


def test_the_script_takes_another_top(tmp_path):
    _, commands = script(tmp_path, "csim=0 export=0 top=top_conv1_mac")
    assert ["set_top", "top_conv1_mac"] in commands
    assert [words[1] for words in commands if words[0] == "add_files"] == [f"{tmp_path}/hls/top_conv1_mac.cpp"]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_ends_the_script(tmp_path, step):
    done, commands = script(tmp_path, "cosim=1", fails=step)
    assert (done.returncode, done.stderr) == (1, f"build.tcl: {step} failed: no licence\n")
    assert commands[-1][0] == step


@pytest.mark.parametrize("options", ["csim", "csim=2", "cosim=1;exit", "top=", "other=1", "top=a-b"])
def test_an_option_that_is_none_ends_the_script(tmp_path, options):
    done, commands = script(tmp_path, f"export=0 {options}")
    said = f"'{options}' is none of csim=0 or 1, cosim=0 or 1, export=0 or 1, top=NAME"
    assert (done.returncode, done.stderr, commands) == (1, f"build.tcl: PENNI_HLS failed: {said}\n", [])
