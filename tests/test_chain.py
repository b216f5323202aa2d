"""The whole chain on real networks, as a user runs it: generate, evaluate, simulate, synth. Most need ../shared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from penni_hls.data import load_cifar10

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
R20 = ("--mean", ".485,.456,.406", "--std", ".229,.224,.225")


def test_the_demo_network_runs_at_its_predicted_rate(command, tmp_path):
    """Balanced to a few per cent throughout and with convolutions in its shortcuts: any FIFO too short shows in the rate."""
    done = command("generate", EXAMPLES / "resnet8.pt", "--bits", "8/8", "--copies", 1, "-o", tmp_path / "r8", "--json")
    assert done.code == 0, done.err
    done = command(
        "simulate", tmp_path / "r8", "--engine", "rtl", "--images", EXAMPLES / "demo_input.npz", "--count", 4, "--json"
    )
    assert done.code == 0, done.err
    assert done.json["bit_exact"] is True
    assert_rate(done.json)


def assert_rate(found: dict) -> None:
    predicted = found["predicted_cycles_per_image"]
    assert abs(found["cycles_per_image"] - predicted) <= 0.05 * predicted


@pytest.fixture(scope="module")
def calibration(cifar10, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("calibration") / "images.npz"
    np.savez(path, images=load_cifar10(cifar10, "train").images[:256])
    return path


@pytest.fixture(scope="module")
def r20(shared_models, calibration, tmp_path_factory) -> Path:
    from penni_hls.cli import run

    project = tmp_path_factory.mktemp("r20") / "project"
    checkpoint = shared_models / "r20_penni.pt"
    code = run(
        [
            "generate",
            str(checkpoint),
            "--bits",
            "8/8",
            "--copies",
            "1",
            *R20,
            "--calibration",
            str(calibration),
            "-o",
            str(project),
        ]
    )
    assert code == 0
    return project


def test_r20_is_within_its_rate(r20):
    import penni_hls

    assert penni_hls.load(r20).schedule.cycles_per_image <= 60_000


def test_r20_integer_is_as_good_as_float(r20, cifar10, command):
    done = command("evaluate", r20, "--data", cifar10, "--count", 2000, "--json")
    assert done.code == 0 and done.json["images"] == 2000
    assert done.json["top1_integer"] >= done.json["top1_float"] - 0.5
    assert done.json["top1_float"] > 85


def test_r20_in_cpp_is_bit_exact_on_100_images(r20, cifar10, command):
    done = command("simulate", r20, "--engine", "csim", "--data", cifar10, "--count", 100, "--json")
    assert done.code == 0, done.err
    assert done.json["bit_exact"] is True and done.json["images"] == 100 and done.json["first_mismatch"] is None


def test_r20_in_rtl_is_bit_exact_on_4_images_at_the_predicted_rate(r20, cifar10, command):
    done = command("simulate", r20, "--engine", "rtl", "--data", cifar10, "--count", 4, "--json")
    assert done.code == 0, done.err
    assert done.json["bit_exact"] is True and done.json["images"] == 4
    assert_rate(done.json)
    assert all(most <= depth + 1 for depth, most in done.json["fifos"].values())


def test_r18_says_by_how_much_it_does_not_fit_and_is_bit_exact(shared_models, cifar10, tmp_path, command):
    project = tmp_path / "r18"
    done = command("generate", shared_models / "r18_penni.pt", "--bits", "8/8", "-o", project, "--json")
    assert done.code == 1
    assert not done.json["fits"] and done.json["shortfalls"]["bram36"] > 0
    assert (project / "rtl" / "penni_top.sv").is_file() and (project / "hls" / "penni_top.cpp").is_file()
    done = command("simulate", project, "--engine", "csim", "--data", cifar10, "--count", 2, "--json")
    assert done.code == 0, done.err
    assert done.json["bit_exact"] is True and done.json["images"] == 2
