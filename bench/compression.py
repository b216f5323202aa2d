"""Latency and memory of a compressed network on a CPU against the dense one it came from, as a Markdown table.

    python bench/compression.py DENSE COMPRESSED [--batches 1 128] [--threads 1] [--rounds 7]

Both run in PyTorch as plain dense networks in float32: what the compressed one gains here comes from the channels and
weights that shrinking removed, not from sparse arithmetic. Each figure is measured in its own process, the two networks
alternately; times are medians over the rounds. Memory is what the process holds at its peak in the forward passes
beyond what it held before the network was read: weights, activations and the library's own buffers. Linux only.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPEATS = 5  # forward passes of a round, of which the fastest counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs=2, metavar=("DENSE", "COMPRESSED"))
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 128])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(options.worker, options.batches, options.threads)))
        return
    rounds = [[ask(path, options) for path in options.checkpoints] for _ in range(options.rounds)]
    print("| | dense | compressed | |\n|---|---|---|---|")
    for i, batch in enumerate(options.batches):
        row(f"latency, batch {batch}", "ms", [[one["seconds"][i] * 1e3 for one in pair] for pair in rounds])
    row("memory at the peak", "MiB", [[one["bytes"] / 2**20 for one in pair] for pair in rounds])
    row("weights", "MiB", [[one["weights"] / 2**20 for one in pair] for pair in rounds])


def row(name: str, unit: str, pairs: list[list[float]]) -> None:
    dense, small = (statistics.median(values) for values in zip(*pairs))
    print(f"| {name} | {dense:.2f} {unit} | {small:.2f} {unit} | {100 * (small / dense - 1):+.1f} % |")


def ask(path: str, options: argparse.Namespace) -> dict:
    """One measurement of the network at `path`, in a fresh process."""
    batches = [str(batch) for batch in options.batches]
    command = [sys.executable, __file__, *options.checkpoints, "--worker", path, "--threads", str(options.threads)]
    done = subprocess.run([*command, "--batches", *batches], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def measure(path: str, batches: list[int], threads: int) -> dict:
    import torch

    from penni_hls.checkpoint import read
    from penni_hls.export import to_torch

    torch.set_num_threads(threads)
    before = held("VmRSS")
    graph = read(path)
    model = to_torch(graph).eval().to(memory_format=torch.channels_last)
    h, w, c = graph.input.op.out_spec.shape
    del graph
    forget_peak()
    with torch.inference_mode():
        seconds = []
        for batch in batches:
            x = torch.zeros(batch, c, h, w).contiguous(memory_format=torch.channels_last)
            model(x)
            seconds.append(min(timed(model, x) for _ in range(REPEATS)))
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return {"seconds": seconds, "bytes": held("VmHWM") - before, "weights": weights}


def timed(model, x) -> float:  # noqa: ANN001
    begin = time.perf_counter()
    model(x)
    return time.perf_counter() - begin


def forget_peak() -> None:
    """Free what reading allocated, and reset the kernel's record of the peak."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def held(what: str) -> int:
    """Bytes of this process in memory: VmRSS now, VmHWM at the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) * 1024


if __name__ == "__main__":
    main()
