"""`penni-hls train`: a dense network from scratch, where there is none to compress."""

from __future__ import annotations

from typing import Annotated

import typer

from ..report.console import Reporter
from .training import Decay, Rate, TrainingOptions, watched, with_training_options


@with_training_options
def train(
    options: TrainingOptions,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 20,
    lr: Rate = 0.1,
    weight_decay: Decay = 5e-4,
    label_smoothing: Annotated[float, typer.Option(min=0, max=1, help="Share of each label given to all.")] = 0.0,
) -> int:
    """Train a dense network on CIFAR-10 from scratch: a baseline to compress. After an interrupt it resumes.

    \b
    Examples:
      penni-hls train --arch resnet8 --data cifar-10-batches-bin --epochs 20 -o dense.pt
      penni-hls train --arch resnet18 --data cifar-10-batches-bin --epochs 60 --bf16 -o r18_dense.pt
      torchrun --nproc-per-node 4 -m penni_hls train --arch resnet18 --data DIR -o r18_dense.pt
    """
    from ..recipes.runs import train_dense
    from ..training.train import TrainConfig

    report, run = Reporter(options.as_json), options.run()
    config = TrainConfig(
        epochs=epochs, lr=lr, weight_decay=weight_decay, label_smoothing=label_smoothing, bf16=options.bf16
    )
    with watched(report, run) as watch:
        made = train_dense(run, config, watch)
    if made is None:
        return 0
    arch, output = options.arch, options.output
    following = f"penni-hls compress --arch {arch} --weights {output} --data {options.data} -o {arch}_penni.pt"
    report.say(
        f"{arch}: {made.accuracy:.2f} % top-1, {made.after.parameters:,} parameters, {made.after.macs:,} MACs per image"
    )
    report.say(f"Written: {output}; metrics, one line per epoch: {run.directory / 'train.jsonl'}")
    report.say(f"Next: {following}{options.normalisation()}")
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
