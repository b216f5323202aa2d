"""`penni-hls train`: a dense network from scratch, where there is none to compress."""

from __future__ import annotations

from typing import Annotated

import typer

from ..report.console import Reporter
from .options import MEAN, STD, Json, Mean, Std, numbers
from .training import Arch, Batch, Bf16, Data, Decay, Device, Half, Output, Rate, Seed, Work, normalisation, watched


def train(
    arch: Arch,
    data: Data,
    output: Output,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 20,
    lr: Rate = 0.1,
    weight_decay: Decay = 5e-4,
    label_smoothing: Annotated[float, typer.Option(min=0, max=1, help="Share of each label given to all.")] = 0.0,
    batch: Batch = 128,
    seed: Seed = 0,
    bf16: Bf16 = False,
    device: Device = "auto",
    mean: Mean = MEAN,
    std: Std = STD,
    work: Work = None,
    half: Half = False,
    as_json: Json = False,
) -> int:
    """Train a dense network on CIFAR-10 from scratch: a baseline to compress. Interrupted, the same command goes on.

    \b
    Examples:
      penni-hls train --arch resnet8 --data cifar-10-batches-bin --epochs 20 -o dense.pt
      penni-hls train --arch resnet18 --data cifar-10-batches-bin --epochs 60 --bf16 -o r18_dense.pt
      torchrun --nproc-per-node 4 -m penni_hls train --arch resnet18 --data DIR -o r18_dense.pt
    """
    from ..recipes.runs import Run, train_dense
    from ..training.train import TrainConfig

    report = Reporter(as_json)
    run = Run(
        arch=arch, data=data, output=output, work=work, batch=batch, seed=seed, mean=numbers("--mean", mean),
        std=numbers("--std", std), device=device, half=half,
    )  # fmt: skip
    config = TrainConfig(epochs=epochs, lr=lr, weight_decay=weight_decay, label_smoothing=label_smoothing, bf16=bf16)
    with watched(report, run) as watch:
        made = train_dense(run, config, watch)
    if made is None:
        return 0
    following = f"penni-hls compress --arch {arch} --weights {output} --data {data} -o {arch}_penni.pt"
    report.say(
        f"{arch}: {made.accuracy:.2f} % top-1, {made.after.parameters:,} parameters, {made.after.macs:,} MACs an image"
    )
    report.say(f"Written: {output}; metrics an epoch a line: {run.directory / 'train.jsonl'}")
    report.say(f"Next: {following}{normalisation(output, mean, std)}")
    report.result(
        {
            "output": str(output),
            "arch": arch,
            "accuracy": made.accuracy,
            "parameters": made.after.parameters,
            "macs": made.after.macs,
            "epochs": len(made.metrics),
            "metrics": [str(run.directory / "train.jsonl")],
        }
    )
    return 0
