"""Single operators out of context, on the stand-in for Vivado."""

from __future__ import annotations

from pathlib import Path

import pytest

from penni_hls.backends.rtl.yosys import units
from penni_hls.backends.vivado.operators import synthesize
from penni_hls.errors import ToolError
from penni_hls.target.boards import load
from penni_hls.target.resources import Resources

from .projects import planned, project
from .vivado import StandIn

ONE = Resources(41000, 50000, 194, 96.5)  # what the stand-in says of every module


def tops(vivado: StandIn) -> list[str]:
    return [call for call in vivado.calls() if call.startswith("synth_design")]


def test_every_operator_and_fifo_alone(tmp_path: Path, vivado: StandIn) -> None:
    told: list[tuple[int, int]] = []
    found = synthesize(
        project(tmp_path / "p", load("pynq-z2")), progress=lambda done, total: told.append((done, total))
    )
    owners = units(planned())
    assert len(tops(vivado)) == len({unit for _, unit in owners}) == told[-1][0] == told[-1][1]
    assert any("-top penni_i_conv1_basis -part xc7z020clg400-1 -mode out_of_context" in call for call in tops(vivado))
    assert any("-top penni_fifo" in call and "-generic WIDTH=" in call for call in tops(vivado))
    assert not any(call.startswith(("place_design", "route_design")) for call in vivado.calls())
    for name, alone in found.found.items():
        assert alone.used == ONE.times(sum(owner == name for owner, _ in owners))
        assert alone.fmax == pytest.approx(1000 / (8 - 0.231))
    assert found.total.used == ONE.times(len(owners)) and "lut" in found.over and not found.placed


def test_what_was_synthesized_is_kept(tmp_path: Path, vivado: StandIn) -> None:
    made = project(tmp_path / "p", load("pynq-z2"))
    first, calls = synthesize(made), len(tops(vivado))
    assert synthesize(made) == first and len(tops(vivado)) == calls
    (tmp_path / "p" / "rtl" / "penni_i_conv1_basis.sv").write_text("module penni_i_conv1_basis; endmodule\n")
    synthesize(made)
    assert [call.split()[2] for call in tops(vivado)[calls:]] == ["penni_i_conv1_basis"]


def test_place_and_route(tmp_path: Path, vivado: StandIn) -> None:
    found = synthesize(project(tmp_path / "p", load("pynq-z2")), place=True)
    calls = [call.split()[0] for call in vivado.calls()]
    assert found.placed and calls.count("route_design") == calls.count("synth_design") > 5


def test_a_module_that_fails(tmp_path: Path, vivado: StandIn) -> None:
    vivado.set(status="fails")
    with pytest.raises(
        ToolError, match=r"^vivado, module penni_\w+.*: exit status 1: \[Common 17-0\] Synthesis failed \(all of it"
    ):
        synthesize(project(tmp_path / "p", load("pynq-z2")))
