"""Top-1 of the integer network over widths of weights, post-training and after quantization-aware training.

    python bench/qat.py CHECKPOINT --data DIR [--bits 8/2 8/4 8/8] [--epochs 4] [--mean R,G,B --std R,G,B] [--work WORK]

Bits are those of bases and of coefficients.
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
    parser.add_argument("--bits", nargs="+", default=["8/2", "8/4", "8/8"])
    parser.add_argument("--mean")
    parser.add_argument("--std")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    mean, std = (text and tuple(map(float, text.split(","))) for text in (options.mean, options.std))
    graph = read(options.checkpoint, mean=mean, std=std)
    train, test = load_cifar10(options.data, "train"), load_cifar10(options.data)
    calibration = train.images[:256]
    print(
        f"| bits of bases/coefficients | post-training | after {options.epochs} epochs | time per epoch |\n|---|---|---|---|",
        flush=True,
    )
    for bits in options.bits:
        basis_bits, coef_bits = map(int, bits.split("/"))
        before = quantize(graph, basis_bits=basis_bits, coef_bits=coef_bits, calibration=calibration)
        start = time.perf_counter()
        after = qat(
            graph,
            Batches(train, BATCH, train=True, mean=graph.input.op.mean, std=graph.input.op.std),
            config=QatConfig(coef_bits, basis_bits, options.epochs),
            calibration=calibration,
            directory=options.work and options.work / f"bits{basis_bits}_{coef_bits}",
        )
        seconds = (time.perf_counter() - start) / options.epochs
        scores = [integer_accuracy(quantized, test.images, test.labels) for quantized in (before, after)]
        print(f"| {bits} | {scores[0]:.2f} % | {scores[1]:.2f} % | {seconds:.0f} s |", flush=True)


if __name__ == "__main__":
    main()
