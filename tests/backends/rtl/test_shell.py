"""The shell around the network: packets, registers, counters, soft reset, played by cocotbext-axi in Verilator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from penni_hls.backends import registers
from penni_hls.backends.design import Design
from penni_hls.backends.rtl import accelerator, verilator
from penni_hls.backends.rtl.accelerator import MODULES, emit_accelerator
from penni_hls.backends.rtl.emit import sinks
from penni_hls.backends.rtl.yosys import Unit, synthesize
from penni_hls.backends.shell import ACCELERATOR, Shell
from penni_hls.backends.templates import identifier
from penni_hls.backends.top import TOP, pixel_stream, ports
from penni_hls.backends.words import memory_bytes
from penni_hls.errors import UsageError
from penni_hls.files import HW
from penni_hls.ir import interpreter
from penni_hls.ir.fixed import QType
from penni_hls.ir.graph import Graph, Node, TensorSpec, verify
from penni_hls.ir.ops import GlobalPool, Input
from penni_hls.ir.ops.base import Operator
from penni_hls.schedule import Schedule, copied, plan
from penni_hls.target.boards import load

from ...networks import U8, NetworkBuilder

pytestmark = pytest.mark.slow


UNEVEN = (7, 5, 3)  # bytes of an image: no multiple of a beat
WHOLE = (6, 4, 3)


def network(shape: tuple[int, int, int] = UNEVEN) -> Graph:
    """A convolution, pooling and a linear layer."""
    builder = NetworkBuilder(np.random.default_rng(3), bases=2, density=0.4)
    x = builder.add("input", Input(TensorSpec(shape, U8)))
    x = builder.conv("conv", x, 4)
    x = builder.add("pool", GlobalPool(builder.spec(x)), x)
    builder.mac("linear", x, 5, QType(16, True))
    return verify(Graph(tuple(builder.nodes)))


CUT = 40  # bytes of the image that is broken off at a beat's end
CUTS = (CUT, CUT + 1, CUT + 7, -1)  # and within a beat, the last time without the image's last byte only


@dataclass(frozen=True, eq=False)
class Built:
    design: Design
    model: verilator.Model
    folder: Path


def design_of(graph: Graph, shell: Shell) -> Design:
    return Design("net", "a network", plan(graph, load("pynq-z2")), 1.0, (), shell)


def build(design: Design, folder: Path) -> Built:
    for name, text in {**design.rtl, **emit_accelerator(design)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    sources = sorted(path for path in (folder / "rtl").iterdir() if path.suffix in (".sv", ".v"))
    visible = (
        ("penni_shell", "core_*"),
        ("penni_shell", "pixel_*"),
        ("penni_counter", "count_q"),
        *((TOP, name) for name in ("*_valid", "*_ready") if design.shell.counters),
    )
    return Built(design, verilator.build(sources, ACCELERATOR, folder / "model", visible=visible), folder)


def joined(schedule: Schedule, node: Node[Operator]) -> dict:
    """The valid and ready in penni_top of each input of an operator, and of its output. Each result has one reader."""
    inputs = [[sink.valid, sink.ready] for sink in sinks(schedule, node)]
    return {"inputs": inputs, "output": [f"{identifier(node.name)}_{end}" for end in ("valid", "ready")]}


def play(built: Built, images: np.ndarray, tests: str = "") -> None:
    """Run shell_bench on a built accelerator; ToolError where a test of it fails. tests: a pattern of their names."""
    design, graph = built.design, built.design.schedule.graph
    run = built.folder / "run"
    run.mkdir()
    for image in (built.folder / "rtl").glob("mem/*"):
        (run / image.name).write_bytes(image.read_bytes())
    size = images[0].size
    broken = np.repeat(images[:1], len(CUTS), axis=0).reshape(len(CUTS), size)
    for image, cut in zip(broken, CUTS):
        image[cut:] = 0
    played = np.concatenate((images, broken.reshape(-1, *images.shape[1:])))
    np.save(run / "images.npy", images.reshape(len(images), -1))
    results = interpreter.output(graph, played).values.reshape(len(played), -1)
    np.save(run / "results.npy", results.astype(np.int32))
    words = results.shape[1]
    operators = len(design.schedule.instances) if design.shell.counters else 0
    constants = {
        "MAGIC": [int.from_bytes(b"PENN", "little")], "VERSION": [0x10000], "CLOCK_HZ": [125_000_000],
        "STREAMS": [design.shell.input_bits | 32 << 8 | operators << 16], "IMAGE_BYTES": [size], "RESULT_WORDS": [words],
        "DIGEST": [int(design.digest[8 * i : 8 * i + 8], 16) for i in range(4)],
    }  # fmt: skip
    data = {
        "registers": [
            {"name": r.name, "offset": r.offset, "words": r.words, "access": r.access,
             "fields": {field.name: {"lsb": field.lsb, "bits": field.bits} for field in r.fields}}
            for r in registers.MAP
        ],
        "constants": constants, "operators": operators, "cuts": [cut % size for cut in CUTS],
        "lanes": design.shell.input_bits // 8, "word": pixel_stream(design.schedule).q,
        "cycles": design.schedule.cycles_per_image,
        "memories": [
            {"prefix": port.name, "contents": list(memory_bytes(port.external.contents))}
            for port in ports(design.schedule)
            if port.kind == "memory"
        ],
        "counted": [joined(design.schedule, node) for node in design.schedule.instances if design.shell.counters],
    }  # fmt: skip
    (run / "design.json").write_text(json.dumps(data))
    verilator.run(built.model, "shell_bench", run, env={"SHELL_BENCH": str(run), "COCOTB_TEST_FILTER": tests})


def pictures(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (12, *shape), np.uint8)


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """And the bench, where the simulation finds it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return pictures(UNEVEN)


def test_everything_with_64_bits_and_counters(images: np.ndarray, tmp_path: Path) -> None:
    play(build(design_of(network(), Shell(64, counters=True)), tmp_path), images)


def test_a_network_that_takes_a_whole_beat(images: np.ndarray, tmp_path: Path) -> None:
    """Two copies, to which words of the stream are dealt out; a last word that lacks bytes gets zeros."""
    graph = verify(copied(network(WHOLE), 2, None, 4))
    play(build(design_of(graph, Shell(32)), tmp_path), pictures(WHOLE))


@pytest.mark.parametrize("bits, values", [(32, 1), (64, 8)])
def test_packets_of_other_widths(bits: int, values: int, images: np.ndarray, tmp_path: Path) -> None:
    graph = network() if values == 1 else verify(copied(network(WHOLE), 2, None, values))
    built = build(design_of(graph, Shell(bits)), tmp_path)
    play(built, images if values == 1 else pictures(WHOLE), "bytes|packet|rate")


def test_a_stream_narrower_than_what_the_network_takes() -> None:
    with pytest.raises(UsageError, match="stream of 8 bits"):
        emit_accelerator(design_of(verify(copied(network(WHOLE), 2, None, 4)), Shell(8)))


def test_packets_of_bytes_with_room_for_two_images(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next image waits at its last pixel; nothing else changes."""
    monkeypatch.setattr(accelerator, "images_in_flight", lambda schedule: 2)
    built = build(design_of(network(), Shell(8)), tmp_path)
    assert ".IMAGES(2)" in (tmp_path / "rtl" / f"{ACCELERATOR}.v").read_text()
    play(built, images, "bytes|packet")


def test_its_list_of_files_is_what_it_needs() -> None:
    """For those who take the network from elsewhere."""
    sources = [HW / "rtl" / f"penni_{name}.sv" for name in MODULES]
    assert verilator.lint(sources, "penni_shell") == ""
    needless = [one.stem for one in sources if not verilator.lint([s for s in sources if s != one], "penni_shell")]
    assert needless == ["penni_operator_counters"]  # of a shell with counters


def test_the_accelerator_is_clean(tmp_path: Path) -> None:
    """As Vivado's module reference takes it: plain Verilog, each port with its attribute."""
    design = design_of(network(), Shell(input_bits=64))
    for name, text in {**design.rtl, **emit_accelerator(design)}.items():
        (tmp_path / Path(name).name).write_text(text)
    top = tmp_path / f"{ACCELERATOR}.v"
    assert verilator.lint([*sorted(tmp_path.glob("*.sv")), top], ACCELERATOR) == ""
    lines = top.read_text().splitlines()
    ports = [index for index, line in enumerate(lines) if line.strip().startswith(("input ", "output "))]
    assert len(ports) == 17 + 5 + 5 + 2
    for index in ports:
        assert "X_INTERFACE_" in lines[index - 1], lines[index]


HLS_TOP = """// Ports as Vitis HLS gives them to a top with ap_ctrl_none, axis ports of {bits} bits and of ap_axis<32,0,0,0>.
/* verilator lint_off UNUSEDSIGNAL */
module penni_top (
        ap_clk, ap_rst_n, s_axis_TDATA, s_axis_TVALID, s_axis_TREADY,
        m_axis_TDATA, m_axis_TVALID, m_axis_TREADY, m_axis_TKEEP, m_axis_TSTRB, m_axis_TLAST
);
input   ap_clk;
input   ap_rst_n;
input  [{bits}-1:0] s_axis_TDATA;
input   s_axis_TVALID;
output   s_axis_TREADY;
output  [31:0] m_axis_TDATA;
output   m_axis_TVALID;
input   m_axis_TREADY;
output  [3:0] m_axis_TKEEP;
output  [3:0] m_axis_TSTRB;
output  [0:0] m_axis_TLAST;
assign s_axis_TREADY = m_axis_TREADY;
assign m_axis_TVALID = s_axis_TVALID;
assign m_axis_TDATA = 32'd0;
assign m_axis_TKEEP = 4'd15;
assign m_axis_TSTRB = 4'd15;
assign m_axis_TLAST = 1'd1;
endmodule
"""


@pytest.mark.parametrize("values", [1, 4])
def test_a_top_of_vitis_hls_fits_the_shell(values: int, tmp_path: Path) -> None:
    """By its port list: a stand-in, which computes nothing."""
    graph = network(WHOLE) if values == 1 else verify(copied(network(WHOLE), 2, None, values))
    (tmp_path / "penni_top.v").write_text(HLS_TOP.format(bits=8 * values))
    accelerator = tmp_path / f"{ACCELERATOR}.v"
    accelerator.write_text(emit_accelerator(design_of(graph, Shell(32)))[f"rtl/{ACCELERATOR}.v"])
    shell = [HW / "rtl" / f"penni_{name}.sv" for name in MODULES]
    assert verilator.lint([*shell, tmp_path / "penni_top.v", accelerator], ACCELERATOR) == ""


def test_yosys_takes_it(tmp_path: Path) -> None:
    """At about the size that docs/architecture.md gives and `generate` tells, and without a block RAM or a DSP."""
    parameters = {"IMAGE_BYTES": 3072, "RESULT_WORDS": 10, "IMAGES": 16}
    shells = {(Shell(32), 8): (4, 0), (Shell(64), 8): (8, 0), (Shell(32, counters=True), 8): (4, 8)}
    units = {
        built: Unit("penni_shell", (("LANES", lanes), ("OPERATORS", counted), *parameters.items()))
        for built, (lanes, counted) in shells.items()
    }
    found = synthesize(HW / "rtl", units.values(), tmp_path)
    for (shell, operators), unit in units.items():
        cost, estimate = found[unit], shell.cost(operators)
        assert abs(estimate.lut / cost.lut - 1) < 0.08 and abs(estimate.ff / cost.ff - 1) < 0.03
        assert (cost.dsp, cost.bram36, cost.uram) == (0, 0, 0)
    plain = found[units[Shell(32), 8]]
    assert 430 < plain.lut < 530 and 630 < plain.ff < 760
