"""`build` on a stand-in for Vivado: what is read from its reports, and every way to fail, each with its reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from penni_hls.backends.vivado import clock, reports
from penni_hls.backends.vivado.build import Build
from penni_hls.backends.vivado.tool import Watch
from penni_hls.errors import ToolError, UsageError
from penni_hls.recipes.build import build
from penni_hls.target.boards import load, of_part
from penni_hls.target.resources import Resources

from .projects import project
from .vivado import StandIn

Z2 = load("pynq-z2")
ON_BOARD = ("driver/penni.bit", "driver/penni.hwh", "vivado/penni.xsa")


def left(path: Path) -> list[str]:
    return [name for name in ON_BOARD if (path / name).exists()]


def test_a_build_that_is_good(tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(act="125.000000")
    made, steps = project(tmp_path / "p", Z2), []
    found = build(made, watch=Watch(steps.append)).best
    assert found.problem is None and found.vivado == "2022.2" and found.board_files == "none"
    assert found.utilization.used == Resources(41000, 50000, 194, 96.5)
    assert found.accelerator == Resources(39000, 47000, 194, 94.5)
    assert found.timing.setup == 0.231 and found.timing.hold == 0.018 and found.power == 2.391
    assert found.fmax == pytest.approx(1000 / (8 - 0.231))
    assert found.addresses == {"penni": "0x40000000", "dma": "0x40400000", "axi_intc": "0x41800000"}
    assert steps == [
        "project", "block design", "synthesis", "implementation Performance_ExplorePostRoutePhysOpt", "reports"
    ]  # fmt: skip
    assert left(tmp_path / "p") == list(ON_BOARD)
    stored = json.loads((tmp_path / "p" / "model.json").read_text())["results"]["vivado"]
    assert stored["utilization"]["used"]["lut"] == 41000 and stored["met"] is True and stored["clock_mhz"] == 125
    assert stored["operators"]["conv1.basis"] == {"lut": 1500, "ff": 1200, "dsp": 0, "bram36": 1.5, "uram": 0}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"wns": "-0.331"},
            "timing is not met at 125 MHz: setup slack -0.331 ns from design_1_i/penni/inst/u_top/u_conv1_mac/acc_q_reg[3]/C "
            "to design_1_i/penni/inst/u_top/u_conv1_mac/out_q_reg[7]/D, 9 levels of logic",
        ),
        (
            {"whs": "-0.050"},
            "timing is not met at 125 MHz: hold slack -0.05 ns from design_1_i/dma/a_reg/C to design_1_i/dma/b_reg/D",
        ),
        ({"wpws": "-0.100"}, "timing is not met at 125 MHz: pulse width slack -0.1 ns"),
        ({"lut": 58520}, "it does not fit pynq-z2: LUT 58,520 of 53,200 (110 %)"),
        ({"lut": 58520, "place": "over"}, "it does not fit pynq-z2: LUT 58,520 of 53,200 (110 %)"),
    ],
)
def test_a_design_that_is_too_slow_or_too_large(settings: dict, problem: str, tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(**settings)
    found = build(project(tmp_path / "p", Z2)).best
    assert found.problem == problem
    assert left(tmp_path / "p") == []
    stored = json.loads((tmp_path / "p" / "model.json").read_text())["results"]["vivado"]
    assert stored["problem"] == problem


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"status": "fails"},
            "vivado, synthesis: synthesis failed: synth_design ERROR: [Synth 8-439] module 'penni_missing' not found "
            "[/x/penni_top.sv:12]",
        ),
        (
            {"place": "fails"},
            "vivado, implementation Performance_ExplorePostRoutePhysOpt: implementation failed: impl_design ERROR: "
            "[Route 35-368] Router was unable to fix hold violation on a pin",
        ),
        ({"without": "axi_dma"}, "vivado, block design: exit status 1: [Common 17-0] no IP axi_dma"),
        (
            {"memory": "missing"},
            "vivado, reports: [Synth 8-4445] could not open $readmem data file 'penni_i_x.mem'; ignoring ",
        ),
        ({"hwh": "elsewhere"}, "vivado, reports: Vivado left no design_1.hwh below "),
    ],
)
def test_a_failure_has_its_first_error(settings: dict, said: str, tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(**settings)
    with pytest.raises(ToolError) as error:
        build(project(tmp_path / "p", Z2))
    assert str(error.value).startswith(said)
    assert str(error.value).endswith(f"(all of it: {tmp_path.resolve()}/p/build/vivado/console.log)")
    assert left(tmp_path / "p") == [] and "results" not in json.loads((tmp_path / "p" / "model.json").read_text())


def test_without_vivado(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = r"^vivado was not found on PATH; source settings64.sh of a Vivado installation \(2022.2 or later\) first$"
    with pytest.raises(ToolError, match=said):
        build(project(tmp_path / "p", Z2))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"clock": "fast"}, "--clock fast: give MHz, or auto"),
        ({"clock": float("nan")}, "--clock nan: give MHz, from 1 to 1000"),
        ({"clock": 0.0}, "--clock 0: give MHz, from 1 to 1000"),
        ({"strategies": ("best",)}, "--strategy best: there are default, performance, timing, congestion, area, quick"),
    ],
)
def test_options_out_of_range(options: dict, said: str, tmp_path: Path, vivado: StandIn) -> None:
    with pytest.raises(UsageError) as error:
        build(project(tmp_path / "p", Z2), **options)
    assert str(error.value) == said


def test_a_packaged_ip(tmp_path: Path, vivado: StandIn) -> None:
    found = build(project(tmp_path / "p", Z2), package=True).best
    assert (tmp_path / "p" / "vivado" / "ip" / "component.xml").exists()
    assert found.files[0] == str(tmp_path / "p" / "vivado" / "ip" / "component.xml")


def test_a_bare_part_is_built_out_of_context(tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(wns="-0.500")
    found = build(project(tmp_path / "p", of_part("xc7a100tcsg324-1")), clock=200.0).best
    assert found.problem.startswith("timing is not met at 200 MHz: setup slack -0.5 ns from ")
    assert found.fmax == pytest.approx(1000 / 5.5) and found.utilization.used.lut == 41000
    assert [Path(path).name for path in found.files] == ["0.dcp"]


VITIS = """#!/bin/sh
mkdir -p build/solution/syn/verilog
echo "module penni_top; endmodule" > build/solution/syn/verilog/penni_top.v
exit {status}
"""


@pytest.mark.parametrize("status", [0, 1])
def test_from_the_c(status: int, tmp_path: Path, vivado: StandIn) -> None:
    """The Verilog that Vitis HLS (a small script here) leaves takes the place of the network's RTL."""
    vitis = vivado.folder / "vitis_hls"
    vitis.write_text(VITIS.format(status=status))
    vitis.chmod(0o755)
    made = project(tmp_path / "p", Z2)
    if status:
        with pytest.raises(ToolError, match="^vitis_hls failed with status 1: "):
            build(made, "hls")
        return
    found = build(made, "hls").best
    assert found.problem is None and found.source == "hls"
    (sources,) = [call for call in vivado.calls() if call.startswith("add_files") and "penni_accelerator.v" in call]
    assert "/build-hls/build/solution/syn/verilog/penni_top.v" in sources and "penni_shell.sv" in sources
    assert "penni_top.sv" not in sources and "penni_i_" not in sources


def test_counters_of_operators_are_of_the_rtl(tmp_path: Path, vivado: StandIn) -> None:
    made = project(tmp_path / "p", Z2)
    made.manifest["options"] = {"counters": True}
    with pytest.raises(
        UsageError, match="^--from hls: only the RTL drives the operators' counters; generate the project without"
    ):
        build(made, "hls")


def test_the_highest_clock_is_searched(tmp_path: Path, vivado: StandIn, monkeypatch) -> None:
    """With a worst path of 6.9 ns, 142.857 MHz (1000 / 7) is the highest of the processor's clocks that it meets."""
    tried = []

    def attempt(mhz: float) -> Build:
        tried.append(mhz)
        slack = round(1000 / mhz - 6.9, 3)
        timing = reports.Timing(slack, 0.02, 1.0, 0)
        return Build("2022.2", "rtl", "default", mhz, timing=timing, problem=None if timing.met else "slow")

    best, steps = clock.search(clock.clocks("zynq7", 125.0), 125.0, attempt)
    assert best.clock_mhz == 142.857 and best.problem is None
    assert tried == [125.0, 142.857, 166.667] == [step.clock_mhz for step in steps]
    assert [step.met for step in steps] == [True, True, False]


@pytest.mark.parametrize("delay", [0.5, 3.1, 4.0, 5.77, 6.9, 8.0, 9.3, 12.0, 39.0, 41.0, 90.0])
@pytest.mark.parametrize("wrong", [0.0, 0.4, -0.4])
@pytest.mark.parametrize("processor", ["zynq7", "zynqmp", "none"])
def test_a_search_ends_at_the_highest_clock(delay: float, wrong: float, processor: str) -> None:
    """wrong: by how many ns the slack misleads, in the worst case towards either side."""
    offered = clock.clocks(processor, 125.0)

    def attempt(mhz: float) -> Build:
        met = 1000 / mhz >= delay
        slack = 1000 / mhz - delay + wrong
        slack = max(slack, 0.0) if met else min(slack, -0.001)
        timing = reports.Timing(slack, 0.02, 1.0, 0)
        return Build("2022.2", "rtl", "default", mhz, timing=timing, problem=None if met else "slow")

    best, steps = clock.search(offered, 125.0, attempt)
    assert len(steps) <= clock.MOST and len({step.clock_mhz for step in steps}) == len(steps)
    possible = [mhz for mhz in offered if 1000 / mhz >= delay]
    assert best.clock_mhz == (max(possible) if possible else min(offered)) or len(steps) == clock.MOST
    assert (best.problem is None) == bool(possible) or len(steps) == clock.MOST


def test_a_design_that_is_too_large_ends_the_search(tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(lut=58520)
    found = build(project(tmp_path / "p", Z2), clock="auto")
    assert found.best.problem.startswith("it does not fit") and len(found.tries) == 1


def test_a_search_with_vivado(tmp_path: Path, vivado: StandIn) -> None:
    """Every build of the stand-in has the same slack, so the clock rises until the last one that there is."""
    vivado.set(wns="0.900")
    made = project(tmp_path / "p", Z2)
    found = build(made, clock="auto")
    assert found.best.problem is None and left(tmp_path / "p") == list(ON_BOARD)
    assert [step.clock_mhz for step in found.tries][:3] == [125.0, 142.857, 166.667]
    assert found.best.clock_mhz == found.tries[-1].clock_mhz
    shutil.rmtree(tmp_path / "p" / "build")
