"""yosys takes every operator, and puts arithmetic and memories where the design wants them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from penni_hls.backends.rtl import yosys
from penni_hls.backends.rtl.emit import emit_instance, hand_written, instance_module
from penni_hls.backends.rtl.yosys import Unit, synthesize
from penni_hls.errors import ToolError
from penni_hls.ir.fixed import QType
from penni_hls.ir.graph import Node
from penni_hls.target.resources import Resources

from ...ir.ops import cases
from ...ir.ops.cases import S4, U8, Case, case

CASES = {
    "basis": cases.basis_conv("synth_basis", (32, 32, 16), q=8, d=5),
    "rectangle": cases.basis_conv("synth_rectangle", (32, 32, 16), q=8, k=(1, 5), pad=(0, 2, 0, 2), d=3),
    "columns": cases.basis_conv("synth_columns", (32, 32, 16), q=8, d=5, unread=0.5, m=3),
    "windows": cases.basis_conv("synth_windows", (32, 32, 16), q=8, d=5, unread=0.5, m=9),
    "mac": cases.sparse_mac("synth_mac", (32, 32, 16, 5), co=16, q=8, density=0.08, z_memory="block", program="block"),
    "pair": cases.sparse_mac(
        "synth_pair",
        (32, 32, 32, 5),
        co=16,
        q=8,
        p=2,
        density=0.1,
        coef=S4,
        multiplier="pair",
        z_buffers=1,
        z_memory="block",
        skip=U8,
    ),
    "lut": cases.sparse_mac(
        "synth_lut",
        (16, 16, 64, 5),
        co=32,
        q=4,
        p=3,
        density=0.1,
        coef=S4,
        multiplier="lut",
        z_buffers=1,
        z_memory="block",
    ),
    "skip": cases.sparse_mac("synth_residual", (32, 32, 16, 5), co=16, q=8, density=0.08, skip=U8),
    "turns": cases.sparse_mac("synth_turns", (32, 32, 16, 5), co=16, q=8, density=0.08, skip=U8, requant_cycles=2),
    "serial": cases.sparse_mac("synth_serial", (8, 8, 8, 5), co=8, q=4, skip=U8, requant_cycles=9),
    "wide": cases.sparse_mac("synth_wide", (4, 4, 40), co=5, q=2, z=QType(14, False), extreme=True),
    "lanes": cases.sparse_mac("synth_lanes", (8, 8, 8, 5), co=8, q=4, p=2),
    "constants": cases.sparse_mac("synth_constants", (4, 4, 8), co=64, q=1, requant="lut"),
    "constants_in_block": cases.sparse_mac("synth_constants_b", (4, 4, 8), co=64, q=1, requant="block"),
    "depthwise": cases.depthwise_conv("synth_depthwise", (16, 16, 32)),
    "map": case("mac_map_1x1"),
    "max_pool": case("max_3x3_s2_pad"),
    "avg_pool": case("avg_3x3_s2_pad"),
    "max_pool_1x3": case("max_1x3"),
    "clip": case("clip_both"),
    "affine": cases.affine("synth_affine", (16, 16, 32)),
    "sum": cases.affine("synth_sum", (16, 16, 32), skip=U8),
    "global_pool": case("pool_4x4"),
    "subsample": case("sub_option_a"),
    "fork": case("fork_3"),
    "deal": case("deal_3_partial"),
    "merge": case("merge_3_signed"),
    "narrow": case("narrow_4"),
    "concat": case("concat_3_5"),
    "upsample": case("up_block"),
}


def _write(folder: Path, chosen: Iterable[Case]) -> None:
    """The sources of these operators."""
    files = hand_written()
    for c in chosen:
        files |= emit_instance(Node(c.id, c.op, ("x",) * len(c.inputs)), c.folding)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Resources]:
    folder = tmp_path_factory.mktemp("yosys")
    _write(folder, CASES.values())
    wanted = {name: Unit(instance_module(c.id)) for name, c in CASES.items()}
    wanted["fifo"] = Unit("penni_fifo", (("WIDTH", 8), ("DEPTH", 32)))
    wanted["deep_fifo"] = Unit("penni_fifo", (("WIDTH", 8), ("DEPTH", 4096), ("BLOCK", 1)))
    counts = synthesize(folder / "rtl", wanted.values(), folder / "cache")
    return {name: counts[unit] for name, unit in wanted.items()}


def test_every_operator_is_taken(found) -> None:
    assert set(found) == {*CASES, "fifo", "deep_fifo"}
    assert all(cost.lut > 0 and cost.ff > 0 for cost in found.values())


@pytest.mark.parametrize(
    "name, dsps",
    [
        ("mac", 8 + 1),
        ("skip", 8 + 2),
        ("turns", 8 + 1),
        ("serial", 4),
        ("wide", 2 + 1),
        ("lanes", 4 * 2 + 1),
        ("pair", 4 * 2 + 2),  # two products in each
        ("lut", 0 + 1),
        ("basis", 0),
        ("columns", 3),
        ("windows", 9),
        ("depthwise", 3 + 1),
        ("affine", 1),
        ("sum", 2),
    ],
)
def test_multipliers_and_accumulators_lie_in_dsps(found, name: str, dsps: int) -> None:
    assert found[name].dsp == dsps


def test_area_of_a_layer(found) -> None:
    """What r20's 19 layers can afford: flags beside counters, an adder between two registers. The second also says that
    no accumulator fell into fabric. 64 LUTs of the first are a word's second place behind the adder graph, which makes
    its enable a register."""
    assert found["basis"].lut <= 1345
    assert found["columns"].lut <= 385 and found["windows"].lut <= 370
    assert found["mac"].lut <= 450
    assert found["skip"].lut <= 480
    assert found["depthwise"].lut <= 300


def test_tables_in_luts_are_mapped_by_themselves(found) -> None:
    """A bit of 64 words is one LUT; with the rest of the operator's logic ABC takes four."""
    table = CASES["constants"]
    width = table.op.memories(table.folding)["requant"].width
    assert found["constants"].lut - found["constants_in_block"].lut <= 1.1 * width


def test_memories_lie_where_they_are_meant_to(found) -> None:
    assert found["basis"].bram36 == 0.5  # four rows of 512 bytes in one RAMB18, by byte-wide write enables
    assert found["mac"].bram36 == 1.5  # z: 256 words of 64 bits; the program
    assert found["pair"].bram36 == 2 + 0.5  # z: 160 words of 64 bits for both lanes; the program
    assert found["lut"].bram36 == 1 + 0.5 + 0.5  # z: 320 words of 32 bits for two lanes, and for one; the program
    assert found["depthwise"].bram36 == 1.0  # four rows of 512 bytes; 96 words of three coefficients
    assert found["fifo"].bram36 == 0 and found["fifo"].lut <= 40
    assert found["deep_fifo"].bram36 == 1.0


def test_the_estimate_is_near(found) -> None:
    for name in ("basis", "columns", "windows", "mac", "skip", "pair", "lut", "depthwise", "affine", "sum"):
        c = CASES[name]
        estimate = c.op.cost(c.folding)
        assert np.isclose(estimate.lut, found[name].lut, rtol=0.2), name
        assert estimate.dsp == found[name].dsp and estimate.bram36 == found[name].bram36, name


ULTRASCALE = {
    "rows": cases.basis_conv("ultra_rows", (32, 32, 64), q=8, d=5, rows="ultra"),
    "shared_rows": cases.basis_conv("ultra_shared_rows", (32, 32, 64), q=32, d=5, m=9, rows="ultra"),
    "depthwise": cases.depthwise_conv("ultra_depthwise", (32, 32, 64), rows="ultra"),
    "pingpong": cases.sparse_mac("ultra_pingpong", (8, 8, 64, 5), co=16, q=8, p=3, density=0.08, z_memory="ultra"),
    "shared": cases.sparse_mac(
        "ultra_shared", (8, 8, 64, 5), co=16, q=8, p=3, density=0.08, z_buffers=1, z_memory="ultra"
    ),
    "map": cases.sparse_mac("ultra_map", (8, 8, 64), co=16, q=9, p=2, z=U8, density=0.3, z_memory="ultra"),
    "block_depthwise": cases.depthwise_conv("block_depthwise", (32, 32, 64), rows="block"),
    "block_pingpong": cases.sparse_mac(
        "block_pingpong", (8, 8, 64, 5), co=16, q=8, p=3, density=0.08, z_memory="block"
    ),
    "pair": cases.sparse_mac("ultra_pair", (8, 8, 4, 5), co=8, q=16, density=0.2, multiplier="pair", preadder_bits=27),
}


@pytest.fixture(scope="module")
def ultrascale(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Resources]:
    folder = tmp_path_factory.mktemp("yosys_ultrascale")
    _write(folder, ULTRASCALE.values())
    wanted = {name: Unit(instance_module(c.id)) for name, c in ULTRASCALE.items()}
    counts = synthesize(folder / "rtl", wanted.values(), folder / "cache", family="xcup")
    return {name: counts[unit] for name, unit in wanted.items()}


def test_ultra_rams_hold_what_they_are_meant_to(ultrascale) -> None:
    """4096 words of 72 bits each, nine bytes that are written alone; two lanes share one that is no ping-pong buffer."""
    expected = {"rows": 1, "shared_rows": 1, "depthwise": 1, "pingpong": 3, "shared": 2, "map": 2}
    assert {name: cost.uram for name, cost in ultrascale.items() if cost.uram} == expected
    for name in expected:
        c = ULTRASCALE[name]
        estimate = c.op.cost(c.folding)
        assert (estimate.uram, estimate.bram36) == (expected[name], ultrascale[name].bram36), name


def test_dsp48e2_take_registers_and_accumulators(ultrascale) -> None:
    for name, c in ULTRASCALE.items():
        estimate, cost = c.op.cost(c.folding), ultrascale[name]
        assert cost.dsp == estimate.dsp, name
        assert np.isclose(estimate.ff, cost.ff, rtol=0.1), name
        assert np.isclose(estimate.lut, cost.lut, rtol=0.25), name


def test_ultra_rams_take_no_more_logic_than_block_rams(ultrascale) -> None:
    for name in ("depthwise", "pingpong"):
        assert ultrascale[name].lut <= 1.1 * ultrascale[f"block_{name}"].lut, name
        assert ultrascale[f"block_{name}"].bram36 > ultrascale[name].bram36


def test_the_wide_preadder_takes_pairs(ultrascale) -> None:
    """Sixteen pixels in eight DSPs, one for the requantizer, and no LUTs for sums of 18 bits and less."""
    pair = ULTRASCALE["pair"]
    assert pair.op.parameters(pair.folding)["PAIR_SHIFT"] == 18
    assert ultrascale["pair"].dsp == 8 + 1


def test_a_result_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "penni_small.sv").write_text(
        "module penni_small (input logic a_i, input logic b_i, output logic c_o);\n  assign c_o = a_i ^ b_i;\nendmodule\n"
    )
    unit = Unit("penni_small")
    first = synthesize(tmp_path / "rtl", [unit], tmp_path / "cache")
    assert first[unit] == Resources(lut=1)
    monkeypatch.setattr(yosys, "_run", lambda *args: pytest.fail("synthesized again"))
    assert synthesize(tmp_path / "rtl", [unit], tmp_path / "cache") == first


def test_equal_instances_are_synthesized_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of several copies of a network are: alike but for their names."""
    (tmp_path / "rtl" / "mem").mkdir(parents=True)
    for name, word in (("copy0", "5"), ("copy1", "5"), ("other", "4")):
        (tmp_path / "rtl" / "mem" / f"penni_i_{name}_table.mem").write_text(f"{word}\n1\n")
        (tmp_path / "rtl" / f"penni_i_{name}.sv").write_text(
            f"/// {name}.\nmodule penni_i_{name} (input logic a_i, output logic [2:0] c_o);\n  logic [2:0] mem[2];\n"
            f'  initial $readmemh("penni_i_{name}_table.mem", mem);\n  assign c_o = mem[a_i];\nendmodule\n'
        )
    first = synthesize(tmp_path / "rtl", [Unit("penni_i_copy0")], tmp_path / "cache")
    with monkeypatch.context() as patched:
        patched.setattr(yosys, "_run", lambda *args: pytest.fail("synthesized again"))
        again = synthesize(tmp_path / "rtl", [Unit("penni_i_copy1")], tmp_path / "cache")
    assert list(again.values()) == list(first.values()) == [Resources(lut=1)]  # 5, 1: the bit that differs, inverted
    ran: list[bytes] = []
    monkeypatch.setattr(yosys, "_run", lambda *args: ran.append(b"") or b'{"design": {"num_cells_by_type": {}}}')
    synthesize(tmp_path / "rtl", [Unit("penni_i_other")], tmp_path / "cache")
    assert ran


def test_errors_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "rtl").mkdir()
    with pytest.raises(ToolError, match="module penni_i_x is not there"):
        synthesize(tmp_path / "rtl", [Unit("penni_i_x")], tmp_path / "cache")
    (tmp_path / "rtl" / "penni_bad.sv").write_text("module penni_bad (;\n")
    with pytest.raises(ToolError, match="yosys failed on penni_bad: .*ERROR") as error:
        synthesize(tmp_path / "rtl", [Unit("penni_bad")], tmp_path / "cache")
    assert "\n" not in str(error.value)


def test_an_unknown_cell_is_an_error() -> None:
    with pytest.raises(ToolError, match="BUFGMUX"):
        yosys._count({"LUT6": 3, "BUFGMUX": 1}, Unit("m"))
