"""The save file for GTKWave names what the top declares, with its width; a group for each operator."""

from __future__ import annotations

import math
import re
from pathlib import Path

import penni_hls
from penni_hls.backends.rtl.waves import save_file


def declared(top: str) -> dict[str, int]:
    """Every net and port of penni_top, and its bits: `logic [7:0] a, b;`, `input logic [4*8-1:0] c,`."""
    found = {}
    for width, names in re.findall(r"^ *(?:input +|output +)?logic (?:\[([\d*]+(?:-1)?):0\] )?([\w, ]+)", top, re.M):
        size, less = width.removesuffix("-1"), width.endswith("-1")
        bits = math.prod(map(int, size.split("*"))) + (not less) if width else 1
        found |= dict.fromkeys(names.strip(" ,").split(", "), bits)
    return found


def test_every_signal_is_one_of_the_top(small_project):
    schedule = penni_hls.load(small_project).schedule
    text = save_file(schedule, Path("dump.fst"))
    top = (small_project / "rtl" / "penni_top.sv").read_text()
    nets = declared(top)
    signals = [line.removeprefix("penni_top.") for line in text.splitlines() if line.startswith("penni_top.")]
    assert len(signals) > 6 * len(schedule.instances)
    for signal in signals:
        name, _, width = signal.partition("[")
        if "." not in name:
            assert nets[name] == (int(width.split(":")[0]) + 1 if width else 1), signal
        else:
            instance = name.split(".")[0]
            assert f"begin : {instance}\n" in top or f") {instance} (" in top, signal
    assert set(nets) - {"starved", "blocked"} <= {signal.split("[")[0] for signal in signals} | {
        "m_axis_TKEEP", "m_axis_TSTRB", "m_axis_TLAST",
    }  # fmt: skip


def test_a_group_for_each_operator_that_ends(small_project):
    schedule = penni_hls.load(small_project).schedule
    lines = save_file(schedule, Path("dump.fst")).splitlines()
    begun = [after for line, after in zip(lines, lines[1:]) if line in ("@800200", "@c00200")]
    ended = [after for line, after in zip(lines, lines[1:]) if line in ("@1000200", "@1401200")]
    assert begun == ended == ["-ports", *(f"-{node.name}: {node.op.kind}" for node in schedule.instances)]
    assert lines[0] == f'[dumpfile] "{Path("dump.fst").resolve()}"'
