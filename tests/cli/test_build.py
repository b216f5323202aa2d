"""`build` and `synth --tool vivado` from the command line, with the stand-in for Vivado that tests/backends/vivado has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.backends.vivado.vivado import StandIn, install, path_with


@pytest.fixture
def vivado(tmp_path: Path, monkeypatch) -> StandIn:
    found = install(tmp_path / "bin")
    monkeypatch.setenv("PATH", path_with(found.folder))
    return found


@pytest.fixture
def project(small_project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_project, tmp_path / "p"))


def test_a_good_build(project: Path, vivado: StandIn, command) -> None:
    done = command("build", project)
    assert done.code == 0, done.err
    assert "setup slack 0.231 ns, hold slack 0.018 ns. The worst setup path would allow 128.7 MHz." in done.out
    assert f"written: {project}/driver/penni.bit\n" in done.out and (project / "driver" / "penni.bit").exists()
    table = done.out.split("written: ")[0]
    assert "LUT" in table and "41,000" in table and "53,200" in table and max(map(len, table.splitlines())) <= 100
    assert "penni: step synthesis" in done.err and "note: Vivado has no board files" in done.err
    again = command("simulate", project, "--engine", "reference", "--count", 1)  # model.json is still one
    assert again.code == 0, again.err


@pytest.mark.parametrize(
    ("settings", "code", "reason"),
    [
        ({"wns": "-0.331"}, 1, "FAILED: timing is not met at 125 MHz: setup slack -0.331 ns from design_1_i/penni/"),
        ({"lut": 58520}, 1, "FAILED: it does not fit pynq-z2: LUT 58,520 of 53,200 (110 %)."),
        (
            {"status": "fails"},
            2,
            "penni-hls: error: vivado, synthesis: synthesis failed: synth_design ERROR: [Synth 8-439]",
        ),
    ],
)
def test_a_build_that_fails_says_why(settings, code: int, reason: str, project: Path, vivado: StandIn, command) -> None:
    vivado.set(**settings)
    done = command("build", project)
    assert done.code == code
    said = (done.out if code == 1 else done.err).splitlines()[-1]
    assert said.startswith(reason)
    assert not (project / "driver" / "penni.bit").exists()
    asked = command("build", project, "--json")
    assert asked.code == code
    told = asked.json["problem"] if code == 1 else asked.json["error"]
    assert told and told in said


def test_the_highest_clock(project: Path, vivado: StandIn, command) -> None:
    vivado.set(wns="-0.100")
    done = command("build", project, "--clock", "auto", "--json")
    assert done.code == 1 and len(done.json["tries"]) > 2 and not any(step["met"] for step in done.json["tries"])
    assert json.loads((project / "model.json").read_text())["results"]["vivado"]["tries"] == done.json["tries"]


def test_every_line_of_the_log(project: Path, vivado: StandIn, command) -> None:
    few, all_of_it = (command("build", project, "--strategy", "area,quick", *more) for more in ((), ("--verbose",)))
    assert few.code == all_of_it.code == 0
    assert "Done: " in all_of_it.err and "Done: " not in few.err


def test_without_vivado(project: Path, tmp_path: Path, monkeypatch, command) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for words in (("build", project), ("synth", project, "--tool", "vivado")):
        done = command(*words)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("penni-hls: error: vivado was not found on PATH; source settings64.sh")


def test_synth_by_vivado(project: Path, vivado: StandIn, command) -> None:
    done = command("synth", project, "--tool", "vivado", "--json")
    assert done.code == 1  # the stand-in has one figure for every module: together they are too large
    assert done.json["fmax_mhz"] == pytest.approx(1000 / (8 - 0.231)) and not done.json["placed"]
    assert done.json["operators"]["conv1.basis"]["estimate"]["lut"] > 0
    shown = command("synth", project, "--tool", "vivado")
    assert "Over budget: LUT: " in shown.out and "est. LUT" in shown.out
    assert max(map(len, shown.out.split("Each operator alone")[0].splitlines())) <= 100


def test_place_goes_with_vivado_only(project: Path, command) -> None:
    done = command("synth", project, "--place")
    assert (done.code, done.err) == (2, "penni-hls: error: --place goes with --tool vivado, not yosys\n")
