"""What Vitis HLS reports of a synthesis: csynth.xml, in the form that releases 2022.1 to 2025.1 write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ...errors import ToolError
from ...target.resources import Resources

FILE = "csynth.xml"


@dataclass(frozen=True)
class Loop:
    """A pipelined loop. module: of the Verilog, named after the C++ function; name: its labels, of a flattened nest all.
    ii: its initiation interval; depth: cycles of one iteration; trips: None where the report has no number."""

    module: str
    name: str
    ii: int
    depth: int | None
    trips: int | None


@dataclass(frozen=True)
class Report:
    """Of one synthesis. interval, latency: the most cycles between two calls and of one; None where they are unknown.
    period: the clock that was asked for less what is left for routing; estimated: the longest path, both in ns."""

    interval: int | None
    latency: int | None
    period: float
    estimated: float
    resources: Resources
    loops: tuple[Loop, ...]

    @property
    def too_long(self) -> bool:
        """A path is longer than the clock allows before routing."""
        return self.estimated > self.period


def read(path: Path) -> Report:
    """ToolError where it is not such a report."""
    try:
        root = ElementTree.parse(path).getroot()
        assigned, timing = _at(root, "UserAssignments"), _at(root, "PerformanceEstimates/SummaryOfTimingAnalysis")
        latency, area = _at(root, "PerformanceEstimates/SummaryOfOverallLatency"), _at(root, "AreaEstimates/Resources")
        period = _float(assigned, "TargetClockPeriod") - _float(assigned, "ClockUncertainty")
        lut, ff, dsp, bram, uram = (_float(area, name) for name in ("LUT", "FF", "DSP", "BRAM_18K", "URAM"))
        return Report(
            _count(latency, "Interval-max"), _count(latency, "Worst-caseLatency"), period,
            _float(timing, "EstimatedClockPeriod"), Resources(lut=lut, ff=ff, dsp=dsp, bram36=bram / 2, uram=uram),
            tuple(_loops(root)),
        )  # fmt: skip
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}; Vitis HLS left no report of its synthesis") from None
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise ToolError(f"{path} is no report of Vitis HLS in a known form: {error}") from None


def _loops(root: Element) -> Iterator[Loop]:
    for module in root.iterfind("ModuleInformation/Module"):
        name = _text(module, "Name")
        for summary in module.iterfind("PerformanceEstimates/SummaryOfLoopLatency"):
            for loop in summary.iter():
                if (ii := _count(loop, "PipelineII")) is not None:
                    depth, trips = _count(loop, "PipelineDepth"), _count(loop, "TripCount")
                    yield Loop(name, loop.findtext("Name", loop.tag), ii, depth, trips)


def _at(element: Element, path: str) -> Element:
    found = element.find(path)
    if found is None:
        raise KeyError(path)
    return found


def _text(element: Element, name: str) -> str:
    return (_at(element, name).text or "").strip()


def _float(element: Element, name: str) -> float:
    return float(_text(element, name))


def _count(element: Element, name: str) -> int | None:
    """A number of cycles; None where there is none, or a word such as `undef`."""
    text = (element.findtext(name) or "").strip()
    return int(text) if text.isdigit() else None
