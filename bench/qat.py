"""Top-1 of the integer network over coefficient widths, post-training and after quantization-aware training.

    python bench/qat.py CHECKPOINT --data DIR [--coef-bits 2 4 8] [--epochs 4] [--work WORK]

DIR holds CIFAR-10: all training images train, the first 256 of them calibrate, all test images score (by the integer
reference). With WORK an interrupted run resumes after its last epoch.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from penni_hls.checkpoint import read
from penni_hls.data import load_cifar10
from penni_hls.qat.train import QatConfig, integer_accuracy, qat
from penni_hls.quantize import quantize
from penni_hls.training.batches import Batches

BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--data", required=True)
    parser.add_argument("--coef-bits", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    graph = read(options.checkpoint)
    train, test = load_cifar10(options.data, "train"), load_cifar10(options.data)
    calibration = train.images[:256]
    print(
        f"| coefficient bits | post-training | after {options.epochs} epochs | time per epoch |\n|---|---|---|---|",
        flush=True,
    )
    for bits in options.coef_bits:
        before = quantize(graph, coef_bits=bits, calibration=calibration)
        start = time.perf_counter()
        after = qat(
            graph,
            Batches(train, BATCH, train=True),
            config=QatConfig(coef_bits=bits, epochs=options.epochs),
            calibration=calibration,
            directory=options.work and options.work / f"bits{bits}",
        )
        seconds = (time.perf_counter() - start) / options.epochs
        scores = [integer_accuracy(quantized, test.images, test.labels) for quantized in (before, after)]
        print(f"| {bits} | {scores[0]:.2f} % | {scores[1]:.2f} % | {seconds:.0f} s |", flush=True)


if __name__ == "__main__":
    main()
