"""The generated C++ as text: the same bytes every time, depths and ports as scheduled, pragmas where they belong."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penni_hls.backends.hls.emit import emit_hls, emit_operators, streams
from penni_hls.backends.hls.gxx import ap_types, compiler, write_changed
from penni_hls.backends.rtl.verilator import lint
from penni_hls.ir.fixed import QType, Requant
from penni_hls.ir.graph import Graph, Node, TensorSpec
from penni_hls.ir.ops import Fork, SparseMac
from penni_hls.ir.ops.base import Folding
from penni_hls.schedule import plan
from penni_hls.target.boards import load
from penni_hls.target.memory import BLOCK, LUT, ULTRA
from tests.networks import random_resnet

SCHEDULE = plan(random_resnet(), load("pynq-z2"))


def expand(folder: Path, *defines: str) -> str:
    """The top after the preprocessor, as the tool with these defines sees it; the vendor's headers are empty."""
    vendor = folder / "vendor"
    vendor.mkdir(exist_ok=True)
    for header in ("ap_int.h", "hls_stream.h", "hls_streamofblocks.h", "ap_axi_sdata.h"):
        (vendor / header).touch()
    command = [compiler(), "-E", "-P", "-std=c++14", *defines, f"-I{vendor}", str(folder / "hls" / "penni_top.cpp")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("emit")
    write_changed(emit_hls(SCHEDULE), path)
    return path


def test_the_same_schedule_gives_the_same_bytes():
    again = plan(random_resnet(), load("pynq-z2"))
    assert emit_hls(SCHEDULE) == emit_hls(again)


def test_a_project_has_what_vitis_needs(folder):
    names = {path.relative_to(folder / "hls").as_posix() for path in (folder / "hls").rglob("*") if path.is_file()}
    wanted = {"penni_top.cpp", "penni_top.hpp", "testbench.cpp", "build.tcl", "csim/hls_stream.h", "vectors/s_axis.bin"}
    assert wanted <= names
    script = (folder / "hls" / "build.tcl").read_text()
    assert "set_part xc7z020clg400-1" in script and "create_clock -period 8.000" in script


def test_every_stream_is_as_deep_as_its_link(folder):
    top = (folder / "hls" / "penni_top.cpp").read_text()
    declared = {name: int(depth) for name, depth in re.findall(r"PENNI_STREAM\([^,]*, (\w+), (\d+)\)", top)}
    by_edge = {(stream.src, stream.dst, stream.port): stream for stream in streams(SCHEDULE)}
    for link in SCHEDULE.links:
        stream = by_edge[link.src, link.dst, link.port]
        assert declared[stream.name] == link.cpp_depth >= link.depth and stream.bits == link.width
    assert len(declared) == len(by_edge)


def test_vitis_sees_pragmas_and_no_simulation(folder):
    text = expand(folder, "-D__SYNTHESIS__")
    depth = SCHEDULE.links[0].depth
    for pragma in (
        "INTERFACE axis port=s_axis", "INTERFACE axis port=m_axis", "INTERFACE ap_ctrl_none port=return", "DATAFLOW",
        "PIPELINE II=1", "PIPELINE II=1 style=frp", f"STREAM variable=conv1_mac_to_layer1_0_fork depth={depth}",
        "ARRAY_PARTITION variable=buffer complete dim=1", "UNROLL",
        "DEPENDENCE variable=sums inter RAW distance=2 true", "DEPENDENCE variable=buffer inter RAW distance=2 true",
        "BIND_STORAGE variable=memory type=ram_s2p impl=uram", "BIND_OP variable=result op=mul impl=dsp",
        "BIND_OP variable=result op=mul impl=fabric",
    ):  # fmt: skip
        assert f"#pragma HLS {pragma}\n" in text, pragma
    assert "penni_csim::spawn" not in text and "PENNI_" not in text
    assert "style=flp" not in text  # of functions only


def test_no_pragma_stands_in_a_branch(folder):
    """What a compiler makes of one in a branch that is never taken is documented nowhere."""
    text = expand(folder, "-D__SYNTHESIS__")
    before = re.findall(r"([^\n]*)\n(?:#pragma HLS [^\n]*\n)+", text)
    assert len(before) > 100
    assert [line for line in before if re.match(r"\s*(if|else|\} else)\b.*\{$", line)] == []


def test_memories_of_a_sparse_mac_are_what_the_folding_says(folder):
    text = expand(folder, "-D__SYNTHESIS__")
    impl = {LUT: "lutram", BLOCK: "bram", ULTRA: "uram"}
    for node in SCHEDULE.instances:
        if node.op.kind == "sparse_mac":
            folding, name = SCHEDULE.foldings[node.name], node.name.replace(".", "_")
            for memory, style, count in (
                ("z", folding.z, folding.z_buffers), ("sums", folding.sums, folding.sum_buffers),
            ):  # fmt: skip
                block = f"penni::sparse_mac_types<{name}_config>::{memory}_block"
                assert f"hls::stream_of_blocks<{block}, {count}> {name}_{memory};" in text
                assert f"#pragma HLS BIND_STORAGE variable={name}_{memory} type=ram_2p impl={impl[style]}\n" in text
                assert folding.p == 1 and f"ARRAY_PARTITION variable={name}_{memory}" not in text
            layer = (folder / "hls" / "layers" / f"{name}.hpp").read_text()
            assert f"PENNI_BIND_ROM(words, {impl[folding.program]})" in layer


def test_lanes_lie_side_by_side():
    coefs = np.arange(24).reshape(4, 6) % 5 - 2
    requant = Requant(np.full(4, 20000), np.zeros(4, np.int64), 10, QType(8, False))
    op = SparseMac(TensorSpec((3, 3, 2, 3), QType(8, True)), coefs, QType(8, True), requant)
    top = emit_operators({"mac": (op, op.folding(4, 2))})["hls/top_mac.cpp"]
    assert "PENNI_PARTITION(mac_z, 1)" in top and "PENNI_PARTITION(mac_sums, 1)" in top
    calls = re.findall(r'PENNI_(PART|WHOLE)\("mac ?(\w*)", penni::(\w+)<mac_config>\(([^)]*)\)\)', top)
    assert calls == [
        ("WHOLE", "", "sparse_mac", "in0, out0"), ("PART", "load", "sparse_mac_load", "in0, mac_z"),
        ("PART", "walk", "sparse_mac_walk", "mac_z, mac_sums"), ("PART", "drain", "sparse_mac_drain", "mac_sums, out0"),
    ]  # fmt: skip


def test_tables_of_zeros_are_not_made(folder):
    layers = {path.stem: path.read_text() for path in (folder / "hls" / "layers").glob("*basis.hpp")}
    padded = {name for name, text in layers.items() if "PAD_ZERO = 0;" in text}
    assert layers and {name for name, text in layers.items() if " pad(int" in text} == padded


def test_bambu_sees_its_interface_pragmas_only(folder):
    text = expand(folder, "-D__BAMBU__", "-D__SYNTHESIS__")
    pragmas = {line for line in text.splitlines() if line.startswith("#pragma HLS")}
    ports = {f"#pragma HLS interface port = {port} mode = axis" for port in ("s_axis", "m_axis")}
    assert pragmas == ports | {"#pragma HLS dataflow"}
    assert "ap_axis" not in text.split("void penni_top(")[-1]


def test_the_vendor_sources_compile_without_our_defines(folder):
    """As Vitis reads them in its own C simulation: plain ap_int, no PENNI_CSIM."""
    hls = folder / "hls"
    command = [compiler(), "-fsyntax-only", "-std=c++14", f"-I{hls}", f"-I{hls / 'csim'}", "-isystem", str(ap_types())]
    for source in ("penni_top.cpp", "testbench.cpp"):
        done = subprocess.run([*command, str(hls / source)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


AC_INT = """#pragma once
#include <ac_int.h>
template <int N> using ap_uint = ac_int<N, false>;
template <int N> using ap_int = ac_int<N, true>;
"""
AC_STREAM = """#pragma once
#include <deque>
namespace hls {
template <typename T> struct stream {
    stream() {}
    explicit stream(const char*) {}
    T read() { T word = words.front(); words.pop_front(); return word; }
    void write(const T& word) { words.push_back(word); }
    std::deque<T> words;
};
}
"""
AC_MAIN = """#include <stdio.h>
#include "penni_top.hpp"
int main(int, char** arguments) {
    FILE* file = fopen(arguments[1], "rb");
    hls::stream<penni::word<8> > s_axis;
    hls::stream<penni::logit> m_axis;
    for (int byte; (byte = getc(file)) != EOF;) s_axis.write(byte);
    while (!s_axis.words.empty()) penni_top(s_axis, m_axis);
    while (!m_axis.words.empty()) printf("%d\\n", m_axis.read().to_int());
}
"""


@pytest.mark.slow
def test_the_sources_bambu_reads_give_the_same_logits(folder, tmp_path):
    """bambu's ap_int is another name of ac_int; hls4ml carries the original."""
    (tmp_path / "ap_int.h").write_text(AC_INT)
    (tmp_path / "hls_stream.h").write_text(AC_STREAM)
    (tmp_path / "main.cpp").write_text(AC_MAIN)
    hls, ac_types = folder / "hls", ap_types().parents[1] / "catapult" / "ac_types" / "include"
    include = [f"-I{hls}", f"-I{tmp_path}", "-isystem", str(ac_types)]
    command = [compiler(), "-std=c++14", "-O1", "-w", "-D__BAMBU__", *include, str(hls / "penni_top.cpp")]
    subprocess.run([*command, str(tmp_path / "main.cpp"), "-o", str(tmp_path / "main")], check=True)
    vectors = hls / "vectors"
    done = subprocess.run([tmp_path / "main", vectors / "s_axis.bin"], capture_output=True, text=True, check=True)
    expected = np.frombuffer((vectors / "m_axis.expect.bin").read_bytes(), "<i4")
    assert [int(line) for line in done.stdout.split()] == expected.tolist()


CORE = """module penni_core (
    input clock, reset, start_port, input [7:0] s_axis_TDATA, input s_axis_TVALID, m_axis_TREADY,
    output done_port, s_axis_TREADY, m_axis_TVALID, output [31:0] m_axis_TDATA
);
    assign {done_port, s_axis_TREADY, m_axis_TVALID} = {clock & reset & start_port, m_axis_TREADY, s_axis_TVALID};
    assign m_axis_TDATA = {24'd0, s_axis_TDATA};
endmodule
"""


def test_the_wrapper_of_bambus_verilog_is_clean(folder, tmp_path):
    core = tmp_path / "penni_core.v"
    core.write_text(CORE)
    wrapper = folder / "hls" / "bambu" / "penni_top.v"
    assert "BEATS = 5;" in wrapper.read_text()
    complaints = lint([wrapper, core], "penni_top")
    assert complaints == ""


def test_names_that_are_one_in_cpp_are_refused():
    op, folding = Fork(SCHEDULE.graph.by_name["conv1.mac"].op.out_spec), Folding()
    with pytest.raises(ValueError, match=r"the names a\.b and a_b are one in C\+\+"):
        emit_operators({"a.b": (op, folding), "a_b": (op, folding)})


def test_two_readers_without_a_fork_are_refused():
    nodes = [node for node in SCHEDULE.graph if node.name != "layer1.0.fork"]
    moved = tuple(
        Node(node.name, node.op, tuple("conv1.mac" if name == "layer1.0.fork" else name for name in node.inputs))
        for node in nodes
    )
    links = tuple(
        replace(link, src="conv1.mac" if link.src == "layer1.0.fork" else link.src)
        for link in SCHEDULE.links
        if link.dst != "layer1.0.fork"
    )
    with pytest.raises(ValueError, match=r"conv1\.mac: 2 operators read it, it gives 1 streams; a fork is needed"):
        emit_hls(replace(SCHEDULE, graph=Graph(moved), links=links))
