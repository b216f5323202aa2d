"""An operator may bring a port of its own to the top: a stream, or a memory that it reads. Shown by two test operators."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from penni_hls.backends.design import Design
from penni_hls.backends.hls.emit import emit_hls
from penni_hls.backends.hls.gxx import csim, write_changed
from penni_hls.backends.rtl import bench, verilator
from penni_hls.backends.rtl.accelerator import emit_accelerator
from penni_hls.backends.rtl.emit import bench_design, emit_bench, emit_instance, emit_rtl
from penni_hls.backends.rtl.sim import emit_sim
from penni_hls.backends.shell import ACCELERATOR
from penni_hls.backends.top import TOP, ports
from penni_hls.backends.vivado.emit import emit_vivado
from penni_hls.ir import interpreter
from penni_hls.ir.fixed import IntTensor, QType
from penni_hls.ir.graph import Graph, Node, TensorSpec, verify
from penni_hls.ir.ops import Input
from penni_hls.ir.ops.base import Folding, Operator
from penni_hls.ir.ops.external import External
from penni_hls.ir.ops.memory import Memory
from penni_hls.ir.ops.timing import Stage, Step, Timing
from penni_hls.schedule import Schedule, plan
from penni_hls.target.boards import load
from penni_hls.target.resources import Resources

from .rtl import test_shell

pytestmark = pytest.mark.slow
SPEC = TensorSpec((3, 5, 2), QType(8, signed=False))
OFFSETS = tuple((37 * i + 11) % 256 for i in range(math.prod(SPEC.shape)))


@dataclass(frozen=True)
class _Offset(Operator):
    """y = x + offset modulo 256, an offset for each value of the frame, from outside."""

    protocol: ClassVar[str]

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (SPEC,)

    @property
    def out_spec(self) -> TensorSpec:
        return SPEC

    def reference(self, x: IntTensor) -> IntTensor:
        offsets = np.array(OFFSETS, np.uint8).reshape(SPEC.shape)
        return IntTensor(x.values + offsets, x.qtype)

    def externals(self, folding: Folding) -> tuple[External, ...]:
        return (External("offsets", self.protocol, Memory(8, OFFSETS)),)

    def timing(self, folding: Folding) -> Timing:
        beats = len(OFFSETS)
        return Timing((Stage("add", ((1, Step(beats, (("in", beats),), (("out", beats),))),)),))

    def cost(self, folding: Folding) -> Resources:
        return Resources(lut=20, ff=20)

    def parameters(self, folding: Folding) -> dict[str, int]:
        return {"BEATS": len(OFFSETS)}


class StreamOffset(_Offset):
    kind: ClassVar[str] = "stream_offset"
    protocol: ClassVar[str] = "stream"


class MemoryOffset(_Offset):
    kind: ClassVar[str] = "memory_offset"
    protocol: ClassVar[str] = "memory"


RTL = {
    "stream_offset": """
module penni_stream_offset #(parameter int BEATS = 1) (
    input  logic clk_i, input  logic rst_ni,
    input  logic in_valid_i, output logic in_ready_o, input  logic [7:0] in_data_i,
    input  logic [7:0] offsets_tdata_i, input  logic offsets_tvalid_i, output logic offsets_tready_o,
    output logic out_valid_o, input  logic out_ready_i, output logic [7:0] out_data_o
);
  logic unused;
  assign unused = ^{clk_i, rst_ni, BEATS == 0};
  assign out_valid_o = in_valid_i && offsets_tvalid_i;
  assign out_data_o = in_data_i + offsets_tdata_i;
  assign in_ready_o = out_ready_i && offsets_tvalid_i;
  assign offsets_tready_o = out_ready_i && in_valid_i;
endmodule
""",
    "memory_offset": """
module penni_memory_offset #(parameter int BEATS = 1) (
    input  logic clk_i, input  logic rst_ni,
    input  logic in_valid_i, output logic in_ready_o, input  logic [7:0] in_data_i,
    output logic [0:0] offsets_arid_o, output logic [31:0] offsets_araddr_o, output logic [7:0] offsets_arlen_o,
    output logic [2:0] offsets_arsize_o, output logic [1:0] offsets_arburst_o, output logic offsets_arvalid_o,
    input  logic offsets_arready_i, input  logic [0:0] offsets_rid_i, input  logic [7:0] offsets_rdata_i,
    input  logic [1:0] offsets_rresp_i, input  logic offsets_rlast_i, input  logic offsets_rvalid_i,
    output logic offsets_rready_o,
    output logic out_valid_o, input  logic out_ready_i, output logic [7:0] out_data_o
);
  // One burst per frame; its beats are used as they come.
  logic asked_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) asked_q <= 1'b0;
    else if (offsets_arvalid_o && offsets_arready_i) asked_q <= 1'b1;
    else if (offsets_rvalid_i && offsets_rready_o && offsets_rlast_i) asked_q <= 1'b0;
  end
  logic unused;
  assign unused = ^{offsets_rid_i, offsets_rresp_i};
  assign offsets_arid_o = '0;
  assign offsets_araddr_o = '0;
  assign offsets_arlen_o = 8'(BEATS - 1);
  assign offsets_arsize_o = 3'd0;
  assign offsets_arburst_o = 2'd1;
  assign offsets_arvalid_o = !asked_q && rst_ni;
  assign out_valid_o = in_valid_i && offsets_rvalid_i;
  assign out_data_o = in_data_i + offsets_rdata_i;
  assign in_ready_o = out_ready_i && offsets_rvalid_i;
  assign offsets_rready_o = out_ready_i && in_valid_i;
endmodule
""",
}
CPP = """
#include "penni_pragmas.hpp"
#include "penni_types.hpp"
namespace penni {{
template <typename C>
void {kind}(hls::stream<word<8> >& in, hls::stream<word<8> >& out, {port}) {{
    for (int beat = 0; beat < C::BEATS; ++beat) out.write(word<8>(in.read() + {value}));
}}
}}
"""
HPP = {
    "stream_offset": CPP.format(
        kind="stream_offset", port="hls::stream<word<8> >& offsets", value="offsets.read()"
    ),
    "memory_offset": CPP.format(kind="memory_offset", port="const word<8>* offsets", value="offsets[beat]"),
}  # fmt: skip


def scheduled(op: Operator) -> Schedule:
    return plan(verify(Graph((Node("input", Input(SPEC)), Node("add.offset", op, ("input",))))), load("pynq-z2"))


@pytest.fixture(params=[StreamOffset, MemoryOffset], ids=lambda cls: cls.kind)
def op(request) -> Operator:
    return request.param()


IMAGES = np.random.default_rng(5).integers(0, 256, (4, *SPEC.shape), np.uint8)


def test_in_rtl_with_stalls_and_resets(op: Operator, tmp_path: Path) -> None:
    schedule = scheduled(op)
    files = {**emit_rtl(schedule), f"rtl/penni_{op.kind}.sv": RTL[op.kind]}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    sources = [tmp_path / name for name in sorted(files) if name.endswith(".sv")]
    assert verilator.lint(sources, TOP) == ""
    accelerator = tmp_path / f"{ACCELERATOR}.v"
    accelerator.write_text(emit_accelerator(Design("net", "a network", schedule, 1.0, ()))[f"rtl/{ACCELERATOR}.v"])
    assert verilator.lint([*sources, accelerator], ACCELERATOR) == ""
    model = verilator.build(sources, TOP, tmp_path / "model", parameters=bench.TRACK)
    logits = interpreter.output(schedule.graph, IMAGES).values
    phases = (bench.SMOOTH, bench.STALLS, bench.Phase("reset", 0.1, 0.1, seed=3, reset_after=20))
    result = bench.simulate_top(model, schedule, IMAGES, logits, phases, tmp_path / "run")
    assert [phase.complaint for phase in result.phases["top"]] == [None] * 3
    wrong = bench.simulate_top(model, schedule, IMAGES, logits ^ 1, phases[:1], tmp_path / "run")
    assert wrong.phases["top"][0].mismatch is not None


def test_a_soft_reset_within_a_burst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory's beats of before are not taken for those of the next image."""
    monkeypatch.syspath_prepend(str(Path(test_shell.__file__).parent))
    design = Design("net", "a network", scheduled(MemoryOffset()), 1.0, ())
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "penni_memory_offset.sv").write_text(RTL["memory_offset"])
    images = np.random.default_rng(6).integers(0, 256, (12, *SPEC.shape), np.uint8)
    test_shell.play(test_shell.build(design, tmp_path), images, "packets_of_any|soft_reset")
    assert (tmp_path / "rtl" / "shell.f").read_text().endswith("penni_read_guard.sv\n")


@pytest.mark.parametrize("bounded", [False, True])
def test_in_cpp(op: Operator, bounded: bool, tmp_path: Path) -> None:
    schedule = scheduled(op)
    write_changed({**emit_hls(schedule), f"hls/penni_{op.kind}.hpp": HPP[op.kind]}, tmp_path)
    logits, _ = csim(schedule, tmp_path / "hls", tmp_path / "work", IMAGES, bounded=bounded)
    np.testing.assert_array_equal(logits, interpreter.output(schedule.graph, IMAGES).values.reshape(len(IMAGES), -1))


def test_it_shows_in_every_file_that_names_ports(op: Operator) -> None:
    schedule = scheduled(op)
    (port,) = [port.name for port in ports(schedule) if port.external]
    assert port == {"stream_offset": "s_axis_add_offset_offsets", "memory_offset": "m_axi_add_offset_offsets"}[op.kind]
    board = emit_vivado(Design("net", "a network", schedule, 1.0, ()))
    hls = emit_hls(schedule)
    assert f"[list {port}]" in board["vivado/settings.tcl"]
    assert port in hls["hls/penni_top.hpp"] and port in hls["hls/penni_ports.hpp"]
    assert f"{port}_" in emit_accelerator(Design("net", "a network", schedule, 1.0, ()))["rtl/penni_accelerator.v"]
    assert len(hls[f"hls/vectors/{port}.bin"]) == 2 * len(OFFSETS)
    assert ("sim/memory_bench.py" in emit_sim(schedule)) == (op.protocol == "memory")


def test_the_project_runs_by_itself(op: Operator, tmp_path: Path) -> None:
    """sim/run.py drives the ports that model.json lists; the module that the block design takes has them too."""
    schedule = scheduled(op)
    design = Design("net", "a network", schedule, 1.0, ())
    files = {**emit_rtl(schedule), **emit_hls(schedule), **emit_sim(schedule), **emit_accelerator(design)}
    files |= {f"rtl/penni_{op.kind}.sv": RTL[op.kind]}
    files["rtl/filelist.f"] += f"penni_{op.kind}.sv\n"
    files["model.json"] = json.dumps({"ports": [port.as_dict() for port in ports(schedule)]})
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    done = subprocess.run([sys.executable, tmp_path / "sim" / "run.py"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("equal to the vectors, bit for bit") == 3
    complaints = verilator.lint(
        [tmp_path / "rtl" / "penni_accelerator.v", *sorted((tmp_path / "rtl").glob("*.sv"))], "penni_accelerator"
    )
    assert not [line for line in complaints.splitlines() if line.startswith("%")]


def test_an_operator_alone_has_its_port_too(op: Operator, tmp_path: Path) -> None:
    node, folding = Node("alone", op, ("x",)), op.folding()
    x = IntTensor(IMAGES, SPEC.qtype)
    run = bench.OperatorRun(node, folding, (x,), op.reference(x))
    texts = {f"penni_{op.kind}.sv": RTL[op.kind], "bench.sv": emit_bench("bench", (bench_design(node, folding),))}
    texts |= {Path(name).name: text for name, text in emit_instance(node, folding).items()}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    model = verilator.build([tmp_path / name for name in sorted(texts)], "bench", tmp_path / "model")
    result = bench.run_bench(model, [bench.operator_design(run)], (bench.SMOOTH, bench.STALLS), tmp_path / "run")
    assert [phase.complaint for phase in result.phases["alone"]] == [None] * 2
