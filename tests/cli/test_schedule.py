"""schedule: what it prints, what it writes as JSON, rates and budgets that are asked for."""

from __future__ import annotations

import pytest

from penni_hls.target import boards

from .test_generate import small_board


def test_the_tables_are_no_wider_than_100_columns(small_checkpoint, tmp_path, command):
    done = command("schedule", small_checkpoint, "--pareto")
    assert done.code == 0 and not list(tmp_path.iterdir())
    lines = done.out.splitlines()
    assert (
        max(len(line) for line in lines if " images/s at " not in line and not line.startswith(("Lower", "The ")))
        <= 100
    )
    for said in (
        "limited by",
        "conv1.basis",
        "multipliers always busy",
        "widest map",
        "proven to be the fastest",
        "Other",
    ):
        assert said in done.out


def test_json(small_checkpoint, command):
    said = command("schedule", small_checkpoint, "--pareto", "--json").json
    assert said["fits"] and said["would_fit"] is None
    assert said["proof"]["cycles"] == said["proof"]["bound"] <= said["cycles_per_image"]
    assert max(layer["cycles"] for layer in said["layers"]) == said["proof"]["cycles"]
    assert all(layer["limited_by"] for layer in said["layers"])
    points = said["pareto"]
    assert [p["cycles"] for p in points] == sorted({p["cycles"] for p in points}) and len(points) > 2
    device = {name: have for name, have in boards.load("pynq-z2").device.as_dict().items() if have}
    shares = [sum(p[name] / device[name] for name in device) for p in points]
    assert shares[0] > shares[-1] and all(b <= 1.002 * a for a, b in zip(shares, shares[1:]))


def test_a_rate_is_reached_by_less_hardware(small_checkpoint, command):
    fastest = command("schedule", small_checkpoint, "--json").json
    wanted = fastest["images_per_second"] / 3
    done = command("schedule", small_checkpoint, "--target-fps", f"{wanted:.1f}", "--json")
    said = done.json
    assert done.code == 0 and said["images_per_second"] >= round(wanted, 1)
    assert said["resources"]["lut"] < fastest["resources"]["lut"]
    assert said["resources"]["dsp"] < fastest["resources"]["dsp"]


def test_a_rate_that_is_too_high(small_checkpoint, command):
    done = command("schedule", small_checkpoint, "--target-fps", "1000000")
    assert done.code == 1
    assert "Too slow: 1,000,000 images/s are asked for, at most 125 cycles per image." in done.out
    assert "images/s on pynq-z2" in done.out
    said = command("schedule", small_checkpoint, "--target-fps", "1000000", "--json").json
    assert said["fits"] is False and not said["shortfalls"]
    assert said["would_fit"]["images_per_second"] >= 0.99 * said["images_per_second"]


def test_the_budget(small_checkpoint, command):
    free = command("schedule", small_checkpoint, "--bits", "8/8", "--json").json
    budget = ("--max-utilization", "lut=20%,dsp=.1")
    tight = command("schedule", small_checkpoint, "--bits", "8/8", *budget, "--json").json
    device = boards.load("pynq-z2").device
    assert (
        tight["fits"]
        and tight["resources"]["lut"] <= 0.2 * device.lut
        and tight["resources"]["dsp"] <= 0.1 * device.dsp
    )
    assert tight["cycles_per_image"] > free["cycles_per_image"]
    assert command("schedule", small_checkpoint, "--max-utilization", "100%", "--json").code == 0


@pytest.mark.parametrize("text", ["lut=0", "lut=101%", "urams=50%", "many", "lut=", "nan"])
def test_a_budget_that_is_none(text, small_checkpoint, command):
    done = command("schedule", small_checkpoint, "--max-utilization", text)
    assert (done.code, done.out) == (2, "") and done.err.startswith(f"penni-hls: error: --max-utilization {text}: ")


def test_what_does_not_fit(small_checkpoint, tmp_path, command):
    done = command("schedule", small_checkpoint, "--board", small_board(tmp_path))
    assert done.code == 1
    assert "Estimated not to fit tiny:" in done.out and "LUT: needs " in done.out and "Most: " in done.out
    assert "kv260 (" in done.out.split("Estimated to fit instead: ")[1]


def test_fewer_bits_of_the_coefficients_are_named_where_they_help(small_checkpoint, tmp_path, command):
    """Coefficients of 4 bits are multiplied in LUTs: few DSPs are enough then."""
    board = small_board(tmp_path)
    text = board.read_text().replace("lut = 500", "lut = 53200")
    board.write_text(text)
    needed = {}
    for bits in (8, 4):
        options = ("--board", board, "--bits", f"8/{bits}", "--json")
        needed[bits] = command("schedule", small_checkpoint, *options).json["resources"]["dsp"]
    assert needed[4] < needed[8]
    between = (needed[4] + needed[8]) / 2
    board.write_text(text.replace("dsp = 4", f"dsp = {between / boards.load('pynq-z2').usable.dsp:.0f}"))
    said = command("schedule", small_checkpoint, "--board", board, "--bits", "8/8", "--json").json
    assert not said["fits"] and said["would_fit"]["coef_bits"] == 4


def test_copies(small_checkpoint, tmp_path, command):
    alone = command("schedule", small_checkpoint, "--copies", "1", "--json").json
    said = command("schedule", small_checkpoint, "--copies", "2", "--pareto", "--json").json
    names = {layer["name"] for layer in said["layers"]}
    assert {"deal", "merge", "copy0.conv1.mac", "copy1.conv1.mac"} <= names and said["fits"]
    assert said["cycles_per_image"] < alone["cycles_per_image"]
    auto = command("schedule", small_checkpoint, "--copies", "auto", "--json").json
    assert auto["cycles_per_image"] <= 1.05 * said["cycles_per_image"]
    assert auto == command("schedule", small_checkpoint, "--json").json
    assert "copies of the network take images by turns" in command("schedule", small_checkpoint).out
    done = command("schedule", small_checkpoint, "--copies", "5")
    assert (done.code, done.err) == (2, "penni-hls: error: --copies 5: give 1 to 4, or auto\n")


@pytest.mark.slow
def test_a_project_of_copies(small_checkpoint, tmp_path, command):
    """Its own reference vectors, an operator alone and an incomplete last round."""
    assert command("generate", small_checkpoint, "--copies", "2", "-o", tmp_path / "p").code == 0
    assert command("simulate", tmp_path / "p", "--engine", "reference").code == 0
    for options in ((), ("--layer", "deal"), ("--layer", "merge"), ("--layer", "copy1.conv1.basis")):
        done = command("simulate", tmp_path / "p", "--engine", "csim", "--count", "3", "--json", *options)
        assert done.code == 0 and done.json["bit_exact"]
