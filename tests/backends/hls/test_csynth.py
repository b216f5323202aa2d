"""Reports of Vitis HLS, written by hand in the form that csynth.xml has; the tool itself is not here."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import penni_hls
from penni_hls.backends.hls import csynth
from penni_hls.backends.hls.csynth import Loop
from penni_hls.errors import ToolError
from penni_hls.target.resources import Resources


def loop(module: str, name: str, ii: int | None, depth: int = 5, trips: int | str = 128) -> str:
    """A module with one loop; without ii it is not pipelined."""
    pipelined = f"<PipelineII>{ii}</PipelineII><PipelineDepth>{depth}</PipelineDepth>"
    return f"""
        <Module>
            <Name>{module}</Name>
            <Loops><{name}/></Loops>
            <PerformanceEstimates>
                <SummaryOfTimingAnalysis>
                    <TargetClockPeriod>8.00</TargetClockPeriod>
                    <ClockUncertainty>2.16</ClockUncertainty>
                    <EstimatedClockPeriod>5.436</EstimatedClockPeriod>
                </SummaryOfTimingAnalysis>
                <SummaryOfOverallLatency>
                    <Best-caseLatency>134</Best-caseLatency>
                    <Worst-caseLatency>undef</Worst-caseLatency>
                    <PipelineInitiationInterval>134</PipelineInitiationInterval>
                    <PipelineType>no</PipelineType>
                </SummaryOfOverallLatency>
                <SummaryOfLoopLatency>
                    <{name}>
                        <Name>{name}</Name>
                        <TripCount>{trips}</TripCount>
                        <Latency>132</Latency>
                        <AbsoluteTimeLatency>1.056 us</AbsoluteTimeLatency>
                        {pipelined if ii else "<IterationLatency>9</IterationLatency>"}
                        <PipelineType>{"yes" if ii else "no"}</PipelineType>
                        <InstanceList/>
                    </{name}>
                </SummaryOfLoopLatency>
            </PerformanceEstimates>
            <AreaEstimates><Resources><FF>6</FF><LUT>61</LUT><BRAM_18K>0</BRAM_18K><DSP>0</DSP><URAM>0</URAM></Resources></AreaEstimates>
        </Module>"""


def report(top: str, *modules: str, interval: int | str = 18496, estimated: float = 5.5) -> str:
    return f"""<profile>
    <ReportVersion><Version>2022.2</Version></ReportVersion>
    <UserAssignments>
        <unit>ns</unit>
        <ProductFamily>zynq</ProductFamily>
        <Part>xc7z020-clg400-1</Part>
        <TopModelName>{top}</TopModelName>
        <TargetClockPeriod>8.00</TargetClockPeriod>
        <ClockUncertainty>2.16</ClockUncertainty>
        <FlowTarget>vivado</FlowTarget>
    </UserAssignments>
    <PerformanceEstimates>
        <PipelineType>dataflow</PipelineType>
        <SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>{estimated}</EstimatedClockPeriod></SummaryOfTimingAnalysis>
        <SummaryOfOverallLatency>
            <unit>clock cycles</unit>
            <Best-caseLatency>20000</Best-caseLatency>
            <Average-caseLatency>20000</Average-caseLatency>
            <Worst-caseLatency>20000</Worst-caseLatency>
            <DataflowPipelineThroughput>{interval}</DataflowPipelineThroughput>
            <Interval-min>{interval}</Interval-min>
            <Interval-max>{interval}</Interval-max>
        </SummaryOfOverallLatency>
    </PerformanceEstimates>
    <AreaEstimates>
        <Resources><BRAM_18K>3</BRAM_18K><DSP>9</DSP><FF>1200</FF><LUT>850</LUT><URAM>0</URAM></Resources>
        <AvailableResources><BRAM_18K>280</BRAM_18K><DSP>220</DSP><FF>106400</FF><LUT>53200</LUT><URAM>0</URAM></AvailableResources>
    </AreaEstimates>
    <ModuleInformation>{"".join(modules)}
    </ModuleInformation>
</profile>
"""


def test_a_report(tmp_path):
    path = tmp_path / "csynth.xml"
    walk, drain = (
        "sparse_mac_walk_conv1_mac_config_Pipeline_Walk",
        "sparse_mac_drain_conv1_mac_config_Pipeline_Pixels_Channels",
    )
    modules = (
        loop(walk, "Walk", 1, 8, 33),
        loop(drain, "Pixels_Channels", 2, 12, "undef"),
        loop("groups", "Groups", None),
    )
    path.write_text(report("top_conv1_mac", *modules))
    found = csynth.read(path)
    assert found.loops == (Loop(walk, "Walk", 1, 8, 33), Loop(drain, "Pixels_Channels", 2, 12, None))
    assert (found.interval, found.latency) == (18496, 20000)
    assert found.resources == Resources(lut=850, ff=1200, dsp=9, bram36=1.5)
    assert found.period == pytest.approx(5.84) and not found.too_long


def test_a_path_that_is_too_long_and_an_interval_that_is_not_known(tmp_path):
    path = tmp_path / "csynth.xml"
    path.write_text(report("top", interval="undef", estimated=5.85))
    found = csynth.read(path)
    assert found.too_long and found.interval is None and found.loops == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<profile>", "no element found: line 1, column 9"),
        ("<profile></profile>", "'UserAssignments'"),
        (report("top").replace("<LUT>850</LUT>", ""), "'LUT'"),
        (report("top").replace(">850<", ">many<"), "could not convert string to float: 'many'"),
    ],
)
def test_what_is_no_report(tmp_path, text, said):
    path = tmp_path / "csynth.xml"
    path.write_text(text)
    with pytest.raises(ToolError) as error:
        csynth.read(path)
    assert str(error.value) == f"{path} is no report of Vitis HLS in a known form: {said}"


def test_no_report(tmp_path):
    with pytest.raises(ToolError, match="No such file or directory; Vitis HLS left no report of its synthesis$"):
        csynth.read(tmp_path / "csynth.xml")


def vitis(folder: Path, name: str, reports: dict[str, str], usual: str) -> None:
    """A stand-in for Vitis HLS: leaves the report of the top that PENNI_HLS names, and adds the top to calls.txt."""
    folder.mkdir()
    script = folder / name
    script.write_text(f"""#!{sys.executable}
import os, pathlib, sys
top = dict(option.split("=") for option in os.environ["PENNI_HLS"].split())["top"]
with open({str(folder / "calls.txt")!r}, "a") as calls:
    calls.write(top + "\\n")
text = {reports!r}.get(top, {usual!r})
if not text:
    sys.exit("ERROR: [HLS 200-101] no licence")
out = pathlib.Path("build/solution/syn/report/csynth.xml")
out.parent.mkdir(parents=True)
out.write_text(text)
""")
    script.chmod(0o755)


GOOD = report("top", loop("basis_conv_config_Pipeline_Steps", "Steps", 1))


def test_the_suite(small_project, tmp_path, command, monkeypatch):
    """Every operator and the whole; a second run does none again."""
    project = Path(shutil.copytree(small_project, tmp_path / "p"))
    names = [node.name for node in penni_hls.load(project).schedule.instances]
    vitis(tmp_path / "bin", "vitis-run", {}, GOOD)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    done = command("synth", project, "--tool", "vitis", "--json")
    assert done.code == 0 and done.json["passed"] and not done.json["failed"]
    assert [*done.json["operators"]] == [*names, "all"]
    calls = (tmp_path / "bin" / "calls.txt").read_text().split()
    assert sorted(calls) == sorted(["penni_top", *(f"top_{name.replace('.', '_')}" for name in names)])
    one = done.json["operators"][names[1]]
    assert (one["cycles"], one["lut"], one["bram36"], one["loops"][0]["ii"]) == (18496, 850, 1.5, 1)
    loaded = penni_hls.load(project)
    node = loaded.graph.by_name[names[1]]
    assert one["estimate"] == node.op.cost(loaded.schedule.foldings[names[1]]).as_dict()
    shown = command("synth", project, "--tool", "vitis")
    assert shown.code == 0 and "Every loop is pipelined as it should be." in shown.out
    assert max(map(len, shown.out.splitlines())) <= 100
    assert (tmp_path / "bin" / "calls.txt").read_text().split() == calls


def test_loops_that_are_too_slow(small_project, tmp_path, command, monkeypatch):
    project = Path(shutil.copytree(small_project, tmp_path / "p"))
    slow = report("top", loop("basis_conv_conv1_basis_config_Pipeline_Steps", "Steps", 3))
    none = report("top", loop("basis_conv_conv1_basis_config", "Steps", None))
    vitis(tmp_path / "bin", "vitis_hls", {"top_conv1_basis": slow, "top_linear_mac": "", "top_pool": none}, GOOD)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    done = command("synth", project, "--tool", "vitis")
    assert done.code == 1
    module = "basis_conv_conv1_basis_config_Pipeline_Steps"
    assert f"conv1.basis: loop Steps in {module} begins every 3 cycles, not every 1" in done.out
    assert "pool: no loop of it was pipelined" in done.out
    failed = next(line for line in done.out.splitlines() if line.startswith("linear.mac: not synthesized: "))
    assert "vitis_hls failed with status 1: ERROR: [HLS 200-101] no licence (all of it: " in failed
    log = Path(failed.split("all of it: ")[1].rstrip(")"))
    assert log.read_text() == "ERROR: [HLS 200-101] no licence\n"


def test_without_vitis(small_project, tmp_path, command, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = command("synth", small_project, "--tool", "vitis")
    said = "neither vitis_hls nor vitis-run was found on PATH; 'synth --tool vitis' runs Vitis HLS"
    assert (done.code, done.err.splitlines()[-1]) == (2, f"penni-hls: error: {said}")
