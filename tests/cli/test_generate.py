"""generate: what it writes, that it writes the same every time, and what it replaces."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import penni_hls
from penni_hls.accuracy import predict_float
from penni_hls.checkpoint import read
from penni_hls.ir import interpreter
from penni_hls.ir.bits import layers_of, parse
from penni_hls.quantize import quantize
from penni_hls.report import console
from penni_hls.report.console import Reporter
from penni_hls.report.tables import table
from penni_hls.target import boards

from .small import save_checkpoint, small_state_dict


def contents(folder: Path) -> dict[str, bytes]:
    """By name; `build/` is of those who simulate the project."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = {str(path.relative_to(folder)): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith("build/")}


def small_board(folder: Path) -> Path:
    """A device on which nothing fits."""
    text = (Path(boards.__file__).parent / "pynq-z2.toml").read_text()
    path = folder / "tiny.toml"
    path.write_text(text.replace("lut = 53200", "lut = 500").replace("dsp = 220", "dsp = 4"))
    return path


def test_the_same_input_gives_the_same_bytes(small_checkpoint, small_project, tmp_path):
    """In another process, from another folder, with another order of hashes and with a cache."""
    env = os.environ | {"PYTHONHASHSEED": "77", "PENNI_HLS_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "penni_hls", "generate", str(small_checkpoint), "--copies", "1", "-o", "again"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True)
    assert contents(tmp_path / "again") == contents(small_project)


def test_the_manifest_names_every_file_with_its_digest(small_project):
    files = contents(small_project)
    manifest = json.loads(files.pop("model.json"))
    assert files.pop("report.html")  # written anew by `report`, so no digest
    assert manifest["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert {Path(name).parts[0] for name in files} == {
        "README.md", "driver", "hls", "model.npz", "rtl", "sim", "vivado",
    }  # fmt: skip


def test_what_is_loaded_is_what_was_generated(small_checkpoint, small_project):
    project, float_graph = penni_hls.load(small_project), read(small_checkpoint)
    bits = parse(project.manifest["options"]["bits"], layers_of(float_graph))
    integer = quantize(float_graph, bits=bits)
    images = np.random.default_rng(3).integers(0, 256, (5, 32, 32, 3), np.uint8)
    here, there = interpreter.run(project.graph, images), interpreter.run(integer.graph, images)
    assert list(here) == list(there)
    for name in here:
        assert here[name].qtype == there[name].qtype
        assert np.array_equal(here[name].values, there[name].values)
    assert np.array_equal(predict_float(project.float_graph, images), predict_float(float_graph, images))
    assert project.manifest["output"]["logit_scale"] == integer.logit_scale
    assert not project.changed


def test_json(small_checkpoint, tmp_path, command):
    done = command("generate", small_checkpoint, "-o", tmp_path / "p", "--json")
    assert done.code == 0
    said = done.json
    assert said["output"] == str(tmp_path / "p") and said["fits"] is True
    assert said["cycles_per_image"] >= max(layer["cycles"] for layer in said["layers"])
    project = penni_hls.load(tmp_path / "p")
    assert [layer["name"] for layer in said["layers"]] == [node.name for node in project.schedule.instances]
    first, second = (line for line in done.err.splitlines() if line.startswith("note: "))
    assert first == "note: no calibration images: ranges come from the BatchNorm statistics"
    assert second.startswith("note: bits of weights chosen on 32 images of noise, for want of calibration images: ")
    assert said["bits"] == project.manifest["options"]["bits"]
    assert said["bits_chosen"]["source"] == "noise" and said["bits_chosen"]["max_drop"] == 0.5


def test_the_table_is_no_wider_than_100_columns(small_checkpoint, tmp_path, command):
    done = command("generate", small_checkpoint, "-o", tmp_path / "p")
    assert done.code == 0 and "Estimated to fit pynq-z2" in done.out
    assert max(map(len, done.out.splitlines()[:-4])) <= 100


@pytest.mark.parametrize(("options", "code"), [([], 1), (["--allow-oversize"], 0)])
def test_a_design_too_large_is_complete_and_says_so(options, code, small_checkpoint, tmp_path, command):
    board = small_board(tmp_path)
    done = command("generate", small_checkpoint, "--board", board, "-o", tmp_path / "p", *options)
    assert done.code == code
    project = penni_hls.load(tmp_path / "p")
    usable = project.schedule.board.plan_budget.lut
    short = round(project.schedule.total.lut - usable)
    assert "Estimated not to fit tiny:" in done.out
    assert f"may use {usable:,.0f} (79% of 500); {short:,} too many. Most: " in done.out
    assert "pynq-z2" in done.out.split("Estimated to fit instead: ")[1]
    assert {lack.resource for lack in project.schedule.shortfalls} >= {"lut", "dsp"}
    assert not project.changed
    done = command("generate", small_checkpoint, "--board", board, "-o", tmp_path / "p", "--json", *options)
    assert done.code == code and done.json["fits"] is False
    assert done.json["shortfalls"]["lut"] == pytest.approx(project.schedule.total.lut - usable, abs=0.1)


def test_calibration_is_used(small_checkpoint, tmp_path, command):
    images = tmp_path / "images.npz"
    np.savez(images, images=np.random.default_rng(1).integers(0, 256, (16, 32, 32, 3), np.uint8))
    done = command(
        "generate", small_checkpoint, "--calibration", images, "--copies", 1, "--bits", "8/4", "-o", tmp_path / "p"
    )
    # Nothing is noted; a slow machine tells what it does.
    assert done.code == 0 and all(line.startswith("generate small.pt: ") for line in done.err.splitlines())
    assert penni_hls.load(tmp_path / "p").manifest["options"]["calibration_sha256"]


def test_a_project_is_replaced(small_checkpoint, tmp_path, command):
    target = tmp_path / "p"
    assert command("generate", small_checkpoint, "-o", target).code == 0
    first = contents(target)
    (target / "build").mkdir()
    (target / "build" / "cache").write_text("of a simulation")
    (target / "rtl" / "penni_top.sv").write_text("edited")
    assert command("generate", small_checkpoint, "-o", target).code == 0
    assert contents(target) == first
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_a_failed_run_leaves_the_old_project(small_checkpoint, tmp_path, command):
    target = tmp_path / "p"
    assert command("generate", small_checkpoint, "-o", target).code == 0
    first = contents(target)
    state = small_state_dict()
    state["conv1.basis"][0, 0] = np.inf
    broken = save_checkpoint(state, tmp_path / "broken.pt")
    assert command("generate", broken, "-o", target).code == 2
    assert contents(target) == first


def test_a_users_file_is_not_lost(small_checkpoint, tmp_path, command):
    target = tmp_path / "p"
    assert command("generate", small_checkpoint, "-o", target).code == 0
    (target / "driver" / "penni.bit").write_text("hours of work")
    done = command("generate", small_checkpoint, "-o", target)
    assert done.code == 2
    assert done.err == (
        f"penni-hls: error: cannot write to {target}: driver/penni.bit was not generated and would be lost; "
        "move it, or choose another with -o\n"
    )
    assert (target / "driver" / "penni.bit").read_text() == "hours of work"


def test_the_driver_has_its_programs_and_its_numbers(small_project):
    files = {path.relative_to(small_project / "driver").as_posix() for path in (small_project / "driver").rglob("*.*")}
    assert files == {
        "README.md", "c/main.c", "c/penni.h", "c/penni_model.h", "c/penni_registers.h", "penni.ipynb", "penni.json", "penni.py",
        "penni_board.py", "penni_core.py", "penni_registers.py", "validate.npz",
    }  # fmt: skip
    values = json.loads((small_project / "driver" / "penni.json").read_text())
    manifest = json.loads((small_project / "model.json").read_text())
    assert values["image"] == [32, 32, 3] and values["result"] == [10] and values["digest"] == manifest["digest"]


@pytest.mark.parametrize("board", ["pynq-z2", "kv260"])
def test_the_vivado_scripts_know_part_clock_and_processor(board, small_checkpoint, tmp_path, command):
    command("generate", small_checkpoint, "--board", board, "-o", tmp_path / "p")
    known, text = boards.load(board), (tmp_path / "p" / "vivado" / "settings.tcl").read_text()
    settings = dict(
        line.removeprefix("set penni(").split(")", 1) for line in text.splitlines() if line.startswith("set")
    )
    assert settings["part"].strip() == known.part and settings["processor"].strip() == known.processor
    assert settings["clock_mhz"].strip() == f"{known.clock_mhz:g}"


def test_long_stages_are_told_without_a_terminal(monkeypatch, capsys):
    """Who redirects stderr sees what takes long, and nothing of what does not."""
    monkeypatch.setattr(console, "QUIET", 0.1)
    with console.Reporter(False).stages("generate net.pt") as stage:
        stage("reading the checkpoint")
        stage("quantizing")
        time.sleep(0.5)
        stage("planning")
    time.sleep(0.3)
    assert capsys.readouterr().err == "generate net.pt: quantizing\n"


def test_a_table_that_is_too_wide_folds_names_and_cuts_no_number(capsys):
    names = ["layer2.0.shortcut.0.subsample.of.a.network.with.long.names", "conv"]
    rows = [(name, "512x512x128x9", *(4_960_256 + n for n in range(5))) for name in names]
    Reporter(False).table(table(("operator", "output", *"abcde"), rows))
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 100
    assert all(said.count(f"{4_960_256 + n:,}") == 2 for n in range(5)) and said.count("512x512x128x9") == 2
