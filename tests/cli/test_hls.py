"""`simulate --engine hls` with stand-ins for the compilers: they leave the project's own RTL, wired and named as the real
one names its Verilog. The real compilers are not here; what is played is their documented interface."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

import penni_hls
from penni_hls.backends.rtl.emit import instance_module
from penni_hls.backends.templates import identifier

pytestmark = pytest.mark.slow
LAYER, LANES = "layer1.0.conv2.mac", ("in", "skip")  # an operator with two inputs


@pytest.fixture(scope="module")
def project(small_project, tmp_path_factory) -> Path:
    return Path(shutil.copytree(small_project, tmp_path_factory.mktemp("hls") / "small"))


def stand_in(folder: Path, name: str, makes: dict[str, str], copies: Path, monkeypatch) -> None:
    """A command on PATH that writes the files `makes`, and beside the first of them what lies in rtl/ of a project."""
    folder.mkdir()
    script = folder / name
    script.write_text(f"""#!{sys.executable}
import pathlib, shutil
makes = {makes!r}
for file, text in makes.items():
    file = pathlib.Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
for path in sorted(pathlib.Path({str(copies)!r}).rglob("*")):
    if path.suffix == ".mem":
        shutil.copy(path, file.parent)
    elif path.suffix == ".sv":
        shutil.copy(path, file.parent / (path.stem + "_rtl.v"))
""")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def around(module: str, clock: str, reset: str, extra: str, data: dict[str, tuple[str, int]], inner: str) -> str:
    """Verilog of `module` with AXI4-Stream ports (direction, bits) by name, and `inner` within."""
    lines = [f"module {module} (input {clock}, input {reset}{extra}"]
    for name, (way, bits) in data.items():
        back = "output" if way == "input" else "input"
        lines.append(f", {way} [{bits - 1}:0] {name}_TDATA, {way} {name}_TVALID, {back} {name}_TREADY")
    return "\n".join([*lines, ");", inner, "endmodule", ""])


def layer_verilog(project: Path, module: str, clock: str, reset: str, extra: str = "") -> str:
    """The RTL of LAYER under the names of an HLS compiler. Data are padded to whole bytes, as Vitis HLS pads them."""
    loaded = penni_hls.load(project)
    op, folding = loaded.graph.by_name[LAYER].op, loaded.schedule.foldings[LAYER]
    ins = {f"in{i}": -(-port.stream.bits // 8) * 8 for i, port in enumerate(op.inputs(folding))}
    assert [port.name for port in op.inputs(folding)] == list(LANES)
    wires = [f".clk_i({clock})", f".rst_ni({reset})"]
    for outer, port in zip((*ins, "out0"), (*LANES, "out")):
        given, taken = ("o", "i") if port == "out" else ("i", "o")
        wires += [f".{port}_valid_{given}({outer}_TVALID)", f".{port}_ready_{taken}({outer}_TREADY)"]
        wires.append(f".{port}_data_{given}({outer}_TDATA)")
    data = {name: ("input", bits) for name, bits in ins.items()} | {"out0": ("output", 8)}
    return around(module, clock, reset, extra, data, f"  {instance_module(LAYER)} u ({', '.join(wires)});")


def test_one_operator_by_vitis_run(project, tmp_path, command, monkeypatch):
    top = f"top_{identifier(LAYER)}"
    file = f"build/solution/syn/verilog/{top}.v"
    makes = {file: layer_verilog(project, top, "ap_clk", "ap_rst_n")}
    stand_in(tmp_path / "bin", "vitis-run", makes, project / "rtl", monkeypatch)
    done = command("simulate", project, "--engine", "hls", "--layer", LAYER, "--count", 2, "--json")
    assert (done.code, done.json["bit_exact"], done.json["engine"]) == (0, True, "hls")
    loaded = penni_hls.load(project)
    op, folding = loaded.graph.by_name[LAYER].op, loaded.schedule.foldings[LAYER]
    assert done.json["predicted_cycles_per_image"] == op.in_turn(folding).cycles() > op.cycles(folding) > 1
    assert done.json["cycles_per_image"] > 1


def test_one_operator_by_bambu(project, tmp_path, command, monkeypatch):
    """Its top has a mangled name, and is started for each frame."""
    top = "_Z10penni_coreRN3hls6streamE"
    text = layer_verilog(project, top, "clock", "reset", ", input start_port, output done_port")
    stand_in(tmp_path / "bin", "bambu", {"penni_core.v": text}, project / "rtl", monkeypatch)
    done = command("simulate", project, "--engine", "hls", "--layer", LAYER, "--json")
    assert (done.code, done.json["bit_exact"]) == (0, True)


def test_a_wrong_operator_is_found(project, tmp_path, command, monkeypatch):
    top = f"top_{identifier(LAYER)}"
    file = f"build/solution/syn/verilog/{top}.v"
    text = layer_verilog(project, top, "ap_clk", "ap_rst_n")
    wrong = text.replace(".skip_data_i(in1_TDATA)", ".skip_data_i(~in1_TDATA)")
    assert wrong != text
    stand_in(tmp_path / "bin", "vitis_hls", {file: wrong}, project / "rtl", monkeypatch)
    done = command("simulate", project, "--engine", "hls", "--layer", LAYER, "--json")
    assert (done.code, done.json["first_mismatch"]["operator"]) == (1, LAYER)


def test_a_network_by_bambu(project, tmp_path, command, monkeypatch):
    """Without TLAST, with FIFOs whose depth is a parameter (of which the stand-in has one, unused)."""
    fifo = "\nmodule dataflow_fifo(input clock); parameter QUEUESIZE_LOG=2; endmodule\n"
    wires = ", ".join(
        f".{name}({name})" for port in ("s_axis", "m_axis") for name in (f"{port}_{s}" for s in ("TDATA", "TVALID", "TREADY"))
    )  # fmt: skip
    own = f"  own_top u (.ap_clk(clock), .ap_rst_n(reset), {wires}, .m_axis_TKEEP(), .m_axis_TSTRB(), .m_axis_TLAST());"
    data = {"s_axis": ("input", 8), "m_axis": ("output", 32)}
    text = around("penni_core", "clock", "reset", ", input start_port, output done_port", data, own) + fifo
    rtl = tmp_path / "rtl"
    shutil.copytree(project / "rtl", rtl)
    top = rtl / "penni_top.sv"
    top.write_text(top.read_text().replace("module penni_top", "module own_top"))
    stand_in(tmp_path / "bin", "bambu", {"penni_core.v": text}, rtl, monkeypatch)
    done = command("simulate", project, "--engine", "hls", "--json")
    assert (done.code, done.json["bit_exact"]) == (0, True)
