"""The SystemVerilog of a project, or another netlist with its ports, in Verilator under the cocotb bench.

Three passes over all images: smooth (cycles are measured), with random idle cycles and backpressure, and begun anew
after a reset in mid-frame. A wrong logit is traced to its operator by simulating all operators side by side, each fed
by the reference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import UsageError
from ...ir import interpreter
from ...ir.fixed import QType
from ...ir.graph import Node
from ...ir.streams import Stream
from ...locks import free_folder
from ...project import Project
from ...schedule import Schedule
from ..cache import built, key_of
from ..engine import Engine, Option
from ..profile import Profile
from ..result import Mismatch, Simulation, Stage, node_of, silent, steady_state
from ..shell import ACCELERATOR
from ..top import LOGIT, TOP
from . import bench, verilator
from .emit import bench_design, emit_bench
from .waves import save_file

BENCH = "penni_bench"
WINDOWS = 240  # of time, at about which operators' counters are looked at
SOURCES, MEMORIES = (".sv", ".v"), (".mem", ".dat", ".hex")


@dataclass(frozen=True)
class Netlist:
    """Verilog of penni_top: its files, and the memory images that it reads by name. own: made by penni-hls."""

    sources: tuple[Path, ...]
    memories: tuple[Path, ...]
    own: bool


def rtl(
    project: Project,
    images: np.ndarray,
    layer: str | None = None,
    *,
    netlist: str | Path | None = None,
    waves: bool = False,
    profile: bool = False,
    stage: Stage = silent,
) -> Simulation:
    """netlist: a folder with the Verilog of another `penni_top` with the same ports. profile: what operators wait for is
    asked for; it is counted anyway where the network is the project's own."""
    if profile and (layer is not None or netlist is not None):
        raise UsageError(
            "--profile counts what the operators of the whole network wait for; leave out --layer and --netlist"
        )
    if layer is not None:
        if netlist is not None:
            raise UsageError("--layer takes an operator of rtl/; another netlist has none that is known")
        return _layer(project, images, node_of(project, layer), waves, stage)
    design = own_netlist(project) if netlist is None else other_netlist(Path(netlist))
    return simulate_netlist(project, images, design, "rtl", waves, stage)


def own_netlist(project: Project) -> Netlist:
    project.check_whole("rtl")
    sources, memories = _files(project.path / "rtl")
    return Netlist(tuple(path for path in sources if path.stem != ACCELERATOR), memories, own=True)


def other_netlist(folder: Path) -> Netlist:
    if not folder.is_dir():
        raise UsageError(f"--netlist {folder}: no such directory; give the one with the Verilog of {TOP}")
    sources, memories = _files(folder)
    if not sources:
        raise UsageError(f"--netlist {folder}: no .v or .sv file in it; give the directory with the Verilog of {TOP}")
    return Netlist(sources, memories, own=False)


def _files(folder: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    paths = sorted(path.resolve() for path in folder.rglob("*") if path.is_file())
    return tuple(p for p in paths if p.suffix in SOURCES), tuple(p for p in paths if p.suffix in MEMORIES)


def simulate_netlist(
    project: Project, images: np.ndarray, netlist: Netlist, engine: str, waves: bool, stage: Stage, slower: int = 1
) -> Simulation:
    """Play `images` through the whole network. slower: how many times the cycles of our own RTL the netlist may take.

    Simulations of one project at the same time share the model of its own RTL; each plays it in a folder of its own.
    """
    work = project.work / engine
    if netlist.own:
        model = _build(netlist.sources, TOP, work, waves, stage, bench.TRACK)
        with free_folder(work / "run") as run:
            return _simulate(project, images, netlist, engine, waves, stage, model, run, slower)
    with free_folder(project.work / f"{engine}-netlist") as work:
        model = _build(netlist.sources, TOP, work, waves, stage)
        return _simulate(project, images, netlist, engine, waves, stage, model, work / "run", slower)


def _simulate(
    project: Project, images: np.ndarray, netlist: Netlist, engine: str, waves: bool, stage: Stage,
    model: verilator.Model, run: Path, slower: int,
) -> Simulation:  # fmt: skip
    stage("simulating")
    name = project.graph.output.name
    logits = interpreter.output(project.graph, images).values
    prediction = project.schedule.prediction
    window = (prediction.latency + len(images) * prediction.cycles_per_image) // WINDOWS + 1 if netlist.own else 0
    result = bench.simulate_top(
        model, project.schedule, images, logits, _phases(prediction.cycles_per_image, window), run,
        memories=netlist.memories, track=netlist.own, slower=slower, stage=stage,
    )  # fmt: skip
    (phases,) = result.phases.values()
    first = _first_mismatch(name, Stream(project.graph.output.op.out_spec), LOGIT, phases)
    problem = _problem(phases)
    if (first or problem) and netlist.own:
        stage("looking for the first operator that differs")
        image = first.image if first else 0
        found, complaint = _locate(project, images[image : image + 1], stage)
        first = found.of_image(image) if found else first
        problem = "; ".join(filter(None, (problem, complaint))) or None
    links = bench.fifo_paths(project.schedule)
    fifos = {  # a FIFO holds one word more than it is deep: in its output register
        f"{links[path].src} -> {links[path].dst}": (links[path].depth + 1, most)
        for path, most in result.high_water.items()
    }
    profile = _profile(project, result, phases[0])
    files = _waves(run, waves, project.schedule if netlist.own else None)
    return _simulation(
        engine, len(images), first, problem, phases, prediction.fill, None, fifos or None, files, profile
    )


def _phases(cycles: int, window: int = 0) -> tuple[bench.Phase, ...]:
    """cycles: of one frame; the reset comes in the middle of it. window: see bench.Phase."""
    reset = bench.Phase("reset", 0.1, 0.1, seed=3, reset_after=max(10, cycles // 2))
    return (replace(bench.SMOOTH, window=window), bench.STALLS, reset)


def _profile(project: Project, result: bench.BenchResult, smooth: bench.PhaseResult) -> Profile | None:
    looks = result.activity
    if not looks or smooth.latency is None:
        return None
    ends = tuple(cycle for cycle, _, _ in looks)
    begins = (0, *ends)
    names = [node.name for node in project.schedule.instances]
    counts = (np.diff(np.array([look[kind] for look in looks]), axis=0, prepend=0) for kind in (1, 2))
    starved, blocked = ({name: tuple(column.tolist()) for name, column in zip(names, kind.T)} for kind in counts)
    last = smooth.latency + sum(smooth.frame_cycles)
    whole = [k for k, end in enumerate(ends) if begins[k] >= smooth.latency and end <= last]
    return Profile(ends, starved, blocked, (whole[0], whole[-1] + 1) if whole else (0, len(ends)))


def _layer(project: Project, images: np.ndarray, node: Node, waves: bool, stage: Stage) -> Simulation:
    with free_folder(project.work / "rtl-layer") as work:
        return simulate_layer(project, images, node, None, "rtl", work, waves, stage)


def simulate_layer(
    project: Project, images: np.ndarray, node: Node, netlist: Netlist | None, engine: str, work: Path, waves: bool,
    stage: Stage, slower: int = 1,
) -> Simulation:  # fmt: skip
    """Play one operator alone, in the folder `work`. netlist: a module BENCH around it with the ports of `emit_bench`;
    None: its own RTL. slower: as in `simulate_netlist`."""
    cycles = project.schedule.cycles[node.name]
    ran = _operators(project, images, (node,), _phases(cycles), work, waves, stage, netlist, slower)
    ((run, phases),) = ran
    files = _waves(work / "run", waves)
    first = _first_mismatch(node.name, _output(run), node.op.out_spec.qtype, phases)
    return _simulation(engine, len(images), first, _problem(phases), phases, 1, node.name, None, files)


def _locate(project: Project, image: np.ndarray, stage: Stage) -> tuple[Mismatch | None, str | None]:
    """The first operator in graph order that goes wrong though fed what is right: its first wrong value, or trouble.
    image: (1, H, W, C)."""
    with free_folder(project.work / "rtl-operators") as work:
        ran = _operators(project, image, project.schedule.instances, (bench.SMOOTH,), work, False, stage)
    for run, phases in ran:
        name = run.node.name
        found = _first_mismatch(name, _output(run), run.node.op.out_spec.qtype, phases)
        if found is not None:
            return found, None
        if _problem(phases) is not None:
            return None, f"{name}: {_problem(phases)}"
    return None, "alone, every operator is right: look at the top's wiring and its FIFOs"


def _operators(
    project: Project, images: np.ndarray, nodes: Sequence[Node], phases: Sequence[bench.Phase], work: Path, waves: bool,
    stage: Stage, netlist: Netlist | None = None, slower: int = 1,
) -> list[tuple[bench.OperatorRun, tuple[bench.PhaseResult, ...]]]:  # fmt: skip
    """Simulate `nodes` side by side, each fed by the reference; in their order. netlist: what holds them, in a module
    BENCH; None: the project's own modules."""
    stage("running the reference")
    values = interpreter.run(
        project.graph, images, keep={node.name for node in nodes}.union(*(node.inputs for node in nodes))
    )
    runs = [
        bench.OperatorRun(
            node, project.schedule.foldings[node.name], project.graph.read(node.name, values), values[node.name]
        )
        for node in nodes
        if len(values[node.name].values)  # a copy of the network may get none of so few images
    ]
    work.mkdir(parents=True, exist_ok=True)
    design = netlist or _own_operators(project, runs, work / f"{BENCH}.sv")
    model = _build(design.sources, BENCH, work, waves, stage)
    stage("simulating the operators")
    designs = [bench.operator_design(run) for run in runs]
    longest = max(project.schedule.cycles[node.name] for node in nodes)
    result = bench.run_bench(
        model, designs, phases, work / "run", memories=design.memories,
        patience=bench.PATIENCE + 2 * slower * longest,
        cycles=(len(images) + 1) * longest, stage=stage,
    )  # fmt: skip
    return [(run, result.phases[design.name]) for run, design in zip(runs, designs)]


def _own_operators(project: Project, runs: Sequence[bench.OperatorRun], top: Path) -> Netlist:
    """The project's own modules, and in the file `top` the bench around those of `runs`."""
    top.write_text(emit_bench(BENCH, tuple(bench_design(run.node, run.folding) for run in runs)))
    design = own_netlist(project)
    sources = tuple(path for path in design.sources if path.stem != TOP)
    return Netlist((*sources, top.resolve()), design.memories, own=True)


def _build(
    sources: Sequence[Path], top: str, work: Path, waves: bool, stage: Stage,
    parameters: Mapping[str, object] | None = None,
) -> verilator.Model:  # fmt: skip
    """The model of `top` in `work`, built where its sources have changed."""
    verilator.root()  # complains where what is needed to build or to run is missing
    stage("building the simulation")
    folder, parameters = (work / ("model-waves" if waves else "model")).absolute(), parameters or {}
    key = key_of([top, repr(sorted(parameters.items()))], sources)

    def make(fresh: Path) -> None:
        verilator.build(sources, top, fresh, parameters=parameters, waves=waves, home=folder)

    built(folder, key, make, stage)
    return verilator.Model(folder, top, waves)


def _output(run: bench.OperatorRun) -> Stream:
    return run.node.op.outputs(run.folding)[0].stream


def _first_mismatch(name: str, stream: Stream, qtype: QType, phases: Sequence[bench.PhaseResult]) -> Mismatch | None:
    """The bench tells the beat of a port: which value of the tensor (N, *spec.shape) is it? qtype: of the port."""
    found = next((phase.mismatch for phase in phases if phase.mismatch), None)
    if found is None:
        return None
    spec = stream.spec
    places = stream.beats(np.arange(math.prod(spec.shape)).reshape(1, *spec.shape))
    good, bad = (_fields(int(word, 16), stream.q, qtype) for word in (found.expected, found.got))
    lane = next(index for index, pair in enumerate(zip(good, bad)) if pair[0] != pair[1])
    at = np.unravel_index(int(places[found.beat, lane]), spec.shape)
    row, column, channel, *basis = map(int, at)
    return Mismatch(name, found.frame, row, column, channel, basis[0] if basis else None, good[lane], bad[lane])


def _fields(word: int, count: int, qtype: QType) -> list[int]:
    """The `count` values of a word, the first from the lowest bits."""
    values = [(word >> (index * qtype.bits)) & ((1 << qtype.bits) - 1) for index in range(count)]
    return [value - (1 << qtype.bits) if value > qtype.hi else value for value in values]


def _problem(phases: Sequence[bench.PhaseResult]) -> str | None:
    """What went wrong beside wrong values."""
    return next((f"{p.name}: {p.complaint}" for p in phases if not p.passed and p.mismatch is None), None)


def _simulation(
    engine: str, images: int, first: Mismatch | None, problem: str | None, phases: Sequence[bench.PhaseResult],
    fill: int, layer: str | None, fifos: dict[str, tuple[int, int]] | None, files: tuple[str, ...],
    profile: Profile | None = None,
) -> Simulation:  # fmt: skip
    smooth = phases[0]
    cycles, settled = steady_state(smooth.frame_cycles, fill)
    return Simulation(
        engine, images, all(phase.passed for phase in phases), first, problem,
        cycles_per_image=cycles, settled=settled, latency_cycles=smooth.latency,
        layer=layer, fifos=fifos, profile=profile, files=files,
    )  # fmt: skip


def _waves(run: Path, waves: bool, schedule: Schedule | None = None) -> tuple[str, ...]:
    """The waveforms in `run`, where they were asked for; and where `schedule` is theirs, a GTKWave save file of them."""
    dumps = sorted(run.glob("dump.[fv][sc][td]")) if waves else []
    if dumps and schedule is not None:
        saved = dumps[0].with_suffix(".gtkw")
        saved.write_text(save_file(schedule, dumps[0]))
        dumps.append(saved)
    return tuple(map(str, dumps))


WAVES = Option("waves", "write waves.")
RTL = Engine(
    "rtl", "the RTL", 2, rtl,
    (WAVES, Option("profile", "show what each operator waits for."),
     Option("netlist", "the Verilog of DIR instead of rtl/.", "DIR")),
)  # fmt: skip
