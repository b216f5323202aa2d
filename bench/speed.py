"""Time penni-hls commands as whole processes and print a Markdown table.

    python bench/speed.py CHECKPOINT --data DIR [--runs 3] [--mean R,G,B --std R,G,B] [--calibration images.npz]

Nothing else should run on the machine. Each figure is the median of `--runs` runs after one that is not counted (for
`simulate` that one builds the simulator). All files go to a temporary directory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(arguments: list[str]) -> tuple[float, dict]:
    """Seconds and the JSON object of one `penni-hls` command; on a failure the benchmark exits with its error."""
    start = time.perf_counter()
    done = subprocess.run(["penni-hls", *arguments, "--json"], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"penni-hls {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return seconds, json.loads(done.stdout)


def measure(arguments: list[str], runs: int, warm: bool = True) -> tuple[float, float, dict]:
    """Cold seconds (the first run), median seconds of the counted runs, the last result."""
    cold, result = run(arguments)
    if not warm:
        return cold, cold, result
    times = []
    for _ in range(runs):
        seconds, result = run(arguments)
        times.append(seconds)
    return cold, statistics.median(times), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--data", required=True)
    parser.add_argument("--board", default="pynq-z2")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--count", type=int, default=100, help="images for the C simulation")
    for option in ("--mean", "--std", "--calibration"):
        parser.add_argument(option)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = str(Path(folder) / "project")
        generate = ["generate", options.checkpoint, "--board", options.board, "-o", project]
        for name in ("mean", "std", "calibration"):
            if value := getattr(options, name):
                generate += [f"--{name}", value]
        simulate = ["simulate", project, "--data", options.data]
        count = options.count
        rows = []
        _, seconds, made = measure(generate, options.runs)
        rows.append(("`generate`", f"{seconds:.1f} s", f"{made['cycles_per_image']:,} cycles per image predicted"))
        _, seconds, top1 = measure(["evaluate", project, "--data", options.data], 1, warm=False)
        accuracy = f"{top1['top1_integer']:.2f} % integer, {top1['top1_float']:.2f} % float"
        rows.append((f"`evaluate`, {top1['images']:,} images", f"{seconds:.0f} s", accuracy))
        cold, seconds, csim = measure([*simulate, "--engine", "csim", "--count", str(count)], options.runs)
        rows.append(
            (
                f"`simulate --engine csim`, {count} images",
                f"{seconds:.1f} s",
                f"{count / seconds:.1f} images/s; first run {cold:.0f} s",
            )
        )
        cold, seconds, rtl = measure([*simulate, "--engine", "rtl", "--count", "4"], options.runs)
        note = f"{rtl['cycles_per_image']:,} cycles per image measured; first run {cold:.0f} s"
        rows.append(("`simulate --engine rtl`, 4 images", f"{seconds:.1f} s", note))
        if not (csim["bit_exact"] and rtl["bit_exact"]):
            sys.exit("not bit-exact")
    print("| command | median | |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
