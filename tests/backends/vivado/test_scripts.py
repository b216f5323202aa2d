"""The generated scripts under Tcl, with a stand-in for Vivado that knows commands, pins and properties of the documents.

It shows that they run to the end, join every pin once, and what they call; not that Vivado does what they mean.

Golden files: `python -m tests.backends.vivado.test_scripts` writes them anew; look at what changed.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import pytest

from penni_hls.backends.vivado import tool
from penni_hls.target.boards import BARE, Board, load, names, of_part

from .projects import write
from .vivado import StandIn, install, path_with

QUERIES = {
    "get_bd_pins",
    "get_bd_intf_pins",
    "get_bd_intf_nets",
    "get_bd_addr_segs",
    "get_files",
    "get_runs",
    "current_fileset",
}
GOLDEN = Path(__file__).with_name("golden")
PART = "xc7a100tcsg324-1"


def run(folder: Path, standin: StandIn, board: Board, script: str, **arguments: object) -> tuple[tool.Run, list[str]]:
    """Run a script of a project for `board` -> how it went, and the calls with paths that are the same everywhere."""
    write(folder / "p", board, "vivado", "rtl", "driver")
    found = tool.run(
        folder / "p" / "vivado" / script, {"work": folder / "work", **arguments}, folder / "work", tool.Watch()
    )
    return found, standin.calls((folder / "work", "WORK"), (folder / "p", "PROJECT"))


def shortened(calls: list[str]) -> str:
    """Calls as golden files hold them: those that do something, and the files of rtl/, which follow the network, as such."""
    lines = []
    for call in calls:
        if call.split(" ")[0] in QUERIES:
            continue
        folder = "rtl/mem" if "PROJECT/rtl/mem" in call else "rtl"
        lines.append(re.sub(r"\{?PROJECT/rtl/\S+( PROJECT/rtl/\S+)*\}?", f"(the files of {folder})", call))
    return "\n".join(lines) + "\n"


def board_of(name: str) -> Board:
    return load(name) if name in names() else of_part(name)


@pytest.mark.parametrize("board", names())
def test_the_system_of_every_board(board: str, tmp_path: Path, vivado: StandIn) -> None:
    found, calls = run(tmp_path, vivado, load(board), "build.tcl")
    assert found.reason is None, found.reason
    assert shortened(calls) == (GOLDEN / f"{board}.txt").read_text()
    rtl = tmp_path / "p" / "rtl"
    added = {path for call in called(calls, "add_files") for path in re.findall(r"PROJECT/rtl/([\w./]+)", call)}
    assert added == {str(path.relative_to(rtl)) for path in rtl.rglob("*") if path.suffix in (".sv", ".v", ".mem")}
    assert all((tmp_path / "p" / "driver" / name).exists() for name in ("penni.bit", "penni.hwh"))
    out = {path.name for path in (tmp_path / "work" / "out").iterdir()}
    assert {"penni.bit", "penni.hwh", "penni.xsa", "timing.rpt", "utilization.rpt", "hierarchy.rpt", "power.rpt"} <= out


@pytest.mark.parametrize(("script", "board"), [("package.tcl", "pynq-z2"), ("alone.tcl", PART)])
def test_the_other_scripts(script: str, board: str, tmp_path: Path, vivado: StandIn) -> None:
    arguments = (
        {"ip": tmp_path / "work" / "ip"} if script == "package.tcl" else {"modules": "penni_accelerator", "place": 1}
    )
    found, calls = run(tmp_path, vivado, board_of(board), script, **arguments)
    assert found.reason is None, found.reason
    assert shortened(calls) == (GOLDEN / f"{script.removesuffix('.tcl')}.txt").read_text()


def called(calls: list[str], *words: str) -> list[str]:
    return [call for call in calls if all(word in call for word in words)]


@pytest.mark.parametrize("board", ["pynq-z2", "kv260"])
def test_board_files_come_before_our_own_facts(board: str, tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(board_files=1)
    found, calls = run(tmp_path, vivado, load(board), "build.tcl")
    assert found.result("board_files").startswith("vendor.com:")
    assert called(calls, "set_property board_part vendor.com:") and not called(calls, "CRYSTAL") + called(
        calls, "PSS_REF_CLK"
    )
    assert called(calls, "apply_bd_automation", "apply_board_preset 1")


@pytest.mark.parametrize(
    ("board", "without", "kind"),
    [
        ("pynq-z2", "", "axi_interconnect"), ("pynq-z2", "axi_interconnect", "smartconnect"),
        ("kv260", "", "smartconnect"), ("kv260", "smartconnect", "axi_interconnect"),
    ],
)  # fmt: skip
def test_whichever_interconnect_is_there(board: str, without: str, kind: str, tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(without=without)
    found, calls = run(tmp_path, vivado, load(board), "build.tcl")
    assert found.reason is None
    assert len(called(calls, f"-vlnv xilinx.com:ip:{kind} ")) == 2


def test_no_interconnect_at_all(tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(without="axi_interconnect smartconnect")
    found, _ = run(tmp_path, vivado, load("pynq-z2"), "build.tcl")
    assert (
        found.reason == "this Vivado has neither of the IP axi_interconnect and smartconnect"
        and found.step == "block design"
    )


def test_a_vivado_without_xlconcat_has_ilconcat(tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(without="xlconcat")
    found, calls = run(tmp_path, vivado, load("zcu104"), "build.tcl")
    assert found.reason is None and called(calls, "create_bd_cell -type inline_hdl")


def test_a_logic_analyser_on_both_streams(tmp_path: Path, vivado: StandIn) -> None:
    found, calls = run(tmp_path, vivado, load("pynq-z2"), "build.tcl", ila=1)
    assert found.reason is None
    assert called(calls, "connect_bd_intf_net -intf_net pixels penni/s_axis ila/SLOT_0_AXIS")
    assert called(calls, "connect_bd_intf_net -intf_net results penni/m_axis ila/SLOT_1_AXIS")


def test_segments_of_other_names_are_found_by_their_interface(tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(segments="other")
    found, calls = run(tmp_path, vivado, load("pynq-z2"), "build.tcl")
    assert found.reason is None
    for name in ("penni/s_axi_control", "dma/S_AXI_LITE", "axi_intc/s_axi"):
        assert called(calls, "assign_bd_address -target_address_space /ps/Data", f" {name}/reg9 -force")


def test_the_hand_off_of_an_older_vivado(tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(hwh="srcs")
    found, _ = run(tmp_path, vivado, load("pynq-z2"), "build.tcl")
    assert found.reason is None and (tmp_path / "p" / "driver" / "penni.hwh").exists()


def test_the_clock_that_the_processor_makes_is_told(tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(act="142.857132")
    found, calls = run(tmp_path, vivado, load("pynq-z2"), "build.tcl", clock=145)
    assert found.result("clock_mhz") == "142.857132"
    assert called(calls, "PCW_FPGA0_PERIPHERAL_FREQMHZ 145") and called(calls, "CONFIG.CLOCK_HZ 142857132 penni")


def test_strategies_until_one_meets_timing(tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(wns="-0.300 -0.100 0.020 1.0")
    names = "Performance_ExtraTimingOpt,Area_Explore,default,Congestion_SpreadLogic_high"
    found, calls = run(tmp_path, vivado, load("pynq-z2"), "build.tcl", strategy=names)
    assert found.reason is None and found.result("strategy") == "default" and found.result("worst_slack") == "0.018"
    assert len(called(calls, "launch_runs impl_1")) == 3 and len(called(calls, "reset_run impl_1")) == 2


def test_the_best_of_strategies_that_all_fail(tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(wns="-0.300 -0.100 -0.200")
    found, _ = run(tmp_path, vivado, load("pynq-z2"), "build.tcl", strategy="default,Area_Explore,default")
    assert found.results["strategy"] == ["default", "Area_Explore"]
    assert found.reason.startswith("timing is not met at 125.0 MHz: the worst slack is -0.1 ns")
    assert "-0.100" in (tmp_path / "work" / "out" / "timing.rpt").read_text()
    assert not (tmp_path / "p" / "driver" / "penni.bit").exists()


def test_hls_without_its_verilog(tmp_path: Path, vivado: StandIn) -> None:
    found, _ = run(tmp_path, vivado, load("pynq-z2"), "build.tcl", **{"from": "hls"})
    assert found.reason == (
        "there is no Verilog of the C++ (penni_top.v) in hls/: run 'penni-hls build DIR --from hls', or the script of hls/ "
        "in Vitis HLS first"
    )


def test_hls_takes_the_shell_and_the_compilers_verilog(tmp_path: Path, vivado: StandIn) -> None:
    netlist = tmp_path / "netlist"
    netlist.mkdir()
    for name in ("penni_top.v", "penni_top_rom.v", "penni_top_rom.dat"):
        (netlist / name).write_text("")
    found, calls = run(tmp_path, vivado, load("pynq-z2"), "build.tcl", netlist=netlist, **{"from": "hls"})
    assert found.reason is None, found.reason
    sources = called(calls, "add_files", "penni_top.v")[0]
    assert f"{netlist}/penni_top_rom.v" in sources and "PROJECT/rtl/penni_accelerator.v" in sources
    assert "penni_top.sv" not in sources and "penni_i_" not in sources
    assert called(calls, "add_files", "penni_top_rom.dat")


def test_a_bare_part_has_no_system(tmp_path: Path, vivado: StandIn) -> None:
    assert of_part(PART).processor == BARE
    found, _ = run(tmp_path, vivado, of_part(PART), "build.tcl")
    assert (
        found.reason
        == f"a bare part ({PART}) has no processor to build a system around; package.tcl makes an IP of the accelerator"
    )


def test_an_argument_that_is_not_known(tmp_path: Path, vivado: StandIn) -> None:
    found, _ = run(tmp_path, vivado, load("pynq-z2"), "build.tcl", colour="red")
    assert found.reason.startswith("argument 'colour=red' is not known; there are from, netlist, clock, ")


def test_an_open_pin_is_noticed(tmp_path: Path, vivado: StandIn, monkeypatch) -> None:
    """The stand-in can fail: a script that forgets a connection does not pass."""
    write(tmp_path / "p", load("pynq-z2"), "vivado", "rtl", "driver")
    script = tmp_path / "p" / "vivado" / "system.tcl"
    text = script.read_text()
    for line, said in (
        ("  penni_reset dma/axi_resetn\n", "dma/axi_resetn is open"),
        ("  penni_clock penni/ap_clk\n", "penni/ap_clk is open"),
        ("    penni_clock $name/ACLK\n", "/ACLK is open"),
    ):
        assert line in text
        script.write_text(text.replace(line, ""))
        found = tool.run(script.with_name("build.tcl"), {"work": tmp_path / "w"}, tmp_path / "w", tool.Watch())
        assert found.status == 1 and said in found.reason
    script.write_text(text.replace("c_sg_length_width", "c_sg_length_widht"))
    found = tool.run(script.with_name("build.tcl"), {"work": tmp_path / "w"}, tmp_path / "w", tool.Watch())
    assert "axi_dma has no property CONFIG.c_sg_length_widht" in found.reason


def _write_golden() -> None:
    import os

    GOLDEN.mkdir(exist_ok=True)
    jobs = [(name, name, "build.tcl", {}) for name in names()]
    jobs.append(("alone", PART, "alone.tcl", {"modules": "penni_accelerator", "place": 1}))
    jobs.append(("package", "pynq-z2", "package.tcl", {}))
    for name, board, script, arguments in jobs:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            standin = install(folder / "bin")
            os.environ["PATH"] = path_with(standin.folder)
            if script == "package.tcl":
                arguments = {"ip": folder / "work" / "ip"}
            found, calls = run(folder, standin, board_of(board), script, **arguments)
            assert found.reason is None, (name, found.reason)
            (GOLDEN / f"{name}.txt").write_text(shortened(calls))


if __name__ == "__main__":
    sys.exit(_write_golden())
