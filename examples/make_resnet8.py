#!/usr/bin/env python3
"""Train ResNet-8 on CIFAR-10 from scratch, compress it, write `resnet8.pt`: the demo's network.

python examples/make_resnet8.py --data DIR --work DIR [--out resnet8.pt]

DIR of --data holds CIFAR-10 (binary or Python form). --work keeps checkpoints: an interrupted run resumes after
its last epoch. The result is a plain state dict in half precision for `torch.load(weights_only=True)`.
"""

import argparse
from pathlib import Path

import torch

from penni_hls.commands.compress import summarise
from penni_hls.compression import CompressConfig, compress
from penni_hls.data import CIFAR10_MEAN, CIFAR10_STD, load_cifar10
from penni_hls.recipes.runs import Outcome
from penni_hls.recipes.storage import round_to_half, store
from penni_hls.report.console import Reporter
from penni_hls.training.batches import Batches
from penni_hls.training.train import Metrics, TrainConfig, evaluate, fit
from penni_hls.zoo.models import build

DENSE = TrainConfig(epochs=40, lr=0.2, weight_decay=2e-4, bf16=True, seed=1)


def settings(finetune: int, gradual: int, distill: bool) -> CompressConfig:
    """A fifth of the parameters and a quarter of the MACs; `distill`: knowledge distillation from the dense one."""
    return CompressConfig(
        d=5,
        epochs=6,
        every=1,
        l1=1e-4,
        parameters=0.2,
        macs=0.25,
        gradual=gradual,
        finetune=finetune,
        distill=distill,
        train=TrainConfig(epochs=0, lr=0.1, weight_decay=1e-4, bf16=True, seed=2),
    )


def show(metrics: Metrics) -> None:
    print(metrics.line(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("resnet8.pt"))
    parser.add_argument("--finetune", type=int, default=60, help="fine-tuning epochs")
    parser.add_argument("--gradual", type=int, default=15, help="the first N of these prune in steps")
    parser.add_argument("--distill", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    config = settings(options.finetune, options.gradual, options.distill)

    train = Batches(load_cifar10(options.data, "train"), 128, train=True, seed=DENSE.seed)
    test = Batches(load_cifar10(options.data), 500, train=False)
    torch.manual_seed(DENSE.seed)
    dense = build("resnet8").to(memory_format=torch.channels_last)
    fit(dense, train, test, DENSE, stage="dense", directory=options.work, report=show)
    accuracy = evaluate(dense, test)

    result = compress(dense, train, test, config, directory=options.work, report=show)
    summarise(Reporter(False), Outcome(result.accuracy, result.after, result.metrics, accuracy, result.before))
    round_to_half(options.out, result.model)
    store(options.out, result.model, CIFAR10_MEAN, CIFAR10_STD, half=True)
    print(f"compressed: {result.accuracy:.2f} %, as stored {evaluate(result.model, test):.2f} %: {options.out}")


if __name__ == "__main__":
    main()
