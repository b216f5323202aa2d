"""All steps in order: decompose, alternate, prune, fine-tune with the zeros held, shrink, count."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..ir.layers import Count
from ..training.train import Hooks, Loader, Metrics, Progress, TrainConfig, evaluate, fit
from .alternate import alternating, freeze, normalise
from .channels import trace
from .count import count
from .decompose import Rank, compressed, decompose
from .prune import (
    Masks,
    by_deviation,
    by_score,
    fisher_scores,
    gradually,
    mac_prices,
    magnitude_scores,
    parameter_prices,
    sparse_parameters,
)
from .shrink import shrink


@dataclass(frozen=True)
class CompressConfig:
    """What `compress` does.

    d: bases per layer (see `decompose`). epochs: alternating-training epochs, with `l1` * sum |a| in the loss; every:
    epochs before it switches between coefficients and bases. prune: coefficients with |a| < prune*std(a) are pruned. Or
    targets, as shares of the dense network: parameters, macs or both (see `Count.parameters`, `Count.macs`). gradual:
    over how many of the first `finetune` epochs to prune in steps. score: the importance score, "fisher" or
    "magnitude", for the targets. distill: knowledge distillation from the dense network. train: rates, seed and the
    like; its epochs are not used.
    """

    d: Rank = 5
    epochs: int = 8
    every: int = 1
    l1: float = 1e-4
    prune: float | None = None
    parameters: float | None = None
    macs: float | None = None
    gradual: int = 1
    finetune: int = 6
    score: str = "fisher"
    score_batches: int = 40
    distill: bool = False
    shrink: bool = True
    train: TrainConfig = TrainConfig(epochs=0, lr=0.05, weight_decay=1e-4)

    def __post_init__(self) -> None:
        if self.prune is not None and (self.parameters is not None or self.macs is not None):
            raise UsageError("a threshold (prune) and a target (parameters, macs) exclude each other; give one")
        for name in ("parameters", "macs"):
            share = getattr(self, name)
            if share is not None and not 0 < share <= 1:
                raise UsageError(f"{name} target {share}: it is a share of the dense network, above 0 and at most 1")
        if self.score not in ("fisher", "magnitude"):
            raise UsageError(f'score "{self.score}" is not known; use "fisher" or "magnitude"')
        if self.finetune and not 1 <= self.gradual <= self.finetune:
            raise UsageError(f"pruning over {self.gradual} epochs: it must be 1 to the {self.finetune} of fine-tuning")


@dataclass(frozen=True, eq=False)
class Compressed:
    """The compressed model, its top-1 in percent (None without test data), counts of the dense and this network."""

    model: nn.Module
    accuracy: float | None
    before: Count
    after: Count
    metrics: tuple[Metrics, ...]


def compress(
    model: nn.Module,
    train_loader: Loader,
    test_loader: Iterable[tuple[Tensor, Tensor]] | None = None,
    config: CompressConfig = CompressConfig(),
    *,
    directory: Path | str | None = None,
    report: Callable[[Metrics], None] | None = None,
    progress: Progress | None = None,
) -> Compressed:
    """Compress a trained `model` (it is left as it is). Loaders give (x, y) batches, a DataLoader for one.

    Where it is compressed already, it is pruned further: its zeros stay, and targets are shares of its current size.

    With a `directory`, each stage keeps a checkpoint there and an interrupted run resumes after its last epoch; a
    checkpoint of another model or config is refused. `report` gets each epoch, `progress` each batch. In a process
    group all its processes call this alike (see `training.processes`).
    """
    if compressed(model) and config.epochs:
        raise UsageError(
            "the network is compressed already: alternating training would undo its zeros; give 0 epochs of it"
        )
    if config.shrink:
        trace(model)  # an untraceable network is refused now, not after hours of training
    directory = Path(directory) if directory is not None else None
    teacher = copy.deepcopy(model).eval() if config.distill else None
    shape = _shape(train_loader)
    before = count(model, shape)
    work = decompose(copy.deepcopy(model), config.d)
    metrics: list[Metrics] = []

    start = f"model {_digest(model)}, d {config.d}"
    first = f"{start}, distill {config.distill}, {config.epochs} epochs of l1 {config.l1} every {config.every}"
    target = f"prune {config.prune}, parameters {config.parameters}, macs {config.macs}, gradual {config.gradual}"
    last = f"{first}, {target}, {config.score} of {config.score_batches} batches"

    def stage(name: str, epochs: int, hooks: Hooks, identity: str, later: int = 0) -> None:
        settings = replace(config.train, epochs=epochs)
        metrics.extend(
            fit(
                work,
                train_loader,
                test_loader,
                settings,
                stage=name,
                hooks=hooks,
                teacher=teacher,
                directory=directory,
                identity=identity,
                later=later,
                report=report,
                progress=progress,
            )
        )

    if config.epochs:
        stage("alternate", config.epochs, alternating(work, config.l1, config.every), first, config.finetune)
    freeze(work, None)
    normalise(work)
    choose = _chooser(work, train_loader, config, before, shape)
    if config.finetune:
        stage("finetune", config.finetune, gradually(work, choose, config.gradual), last)
    else:
        hooks = gradually(work, choose, 1)
        assert hooks.epoch
        hooks.epoch(0)
    if config.shrink:
        work = shrink(work, torch.zeros(1, *shape))
    accuracy = evaluate(work, test_loader) if test_loader is not None else None
    return Compressed(work, accuracy, before, count(work, shape), tuple(metrics))


def _chooser(
    model: nn.Module, loader: Loader, config: CompressConfig, start: Count, shape: tuple[int, int, int]
) -> Callable[[float], Masks]:
    """share -> masks for `gradually`. Budgets fall from what the unpruned network costs to the wanted cost."""
    sparse = {name.rpartition(".")[0] for name in sparse_parameters(model)}
    full = count(model, shape)
    budgets = []
    if config.parameters is not None:
        fixed = full.other + sum(layer.basis + (layer.name not in sparse) * layer.dense for layer in full.layers)
        most = sum(layer.nonzero for layer in full.layers if layer.name in sparse)
        budgets.append(("parameters", parameter_prices(full), most, config.parameters * start.parameters - fixed))
    if config.macs is not None:
        fixed = sum(layer.dense_macs for layer in full.layers if layer.name not in sparse)
        most = sum(layer.macs for layer in full.layers if layer.name in sparse)
        budgets.append(("MACs", mac_prices(full), most, config.macs * start.macs - fixed))
    for name, _, _, end in budgets:
        if end <= 0:
            raise UsageError(f"the target for {name} cannot be reached: what is never pruned needs {-end:.0f} more")

    def choose(share: float) -> Masks:
        if not budgets:
            return by_deviation(model, share * (config.prune or 0.0))
        scores = _scores(model, loader, config)
        for _, prices, most, end in budgets:
            masks = by_score(scores, prices, most + share * (min(end, most) - most))
            scores = {name: score * masks[name] for name, score in scores.items()}
        return masks

    return choose


def _scores(model: nn.Module, loader: Loader, config: CompressConfig) -> dict[str, Tensor]:
    if config.score == "magnitude":
        return magnitude_scores(model)
    return fisher_scores(model, islice(_batches(loader), config.score_batches))


def _batches(loader: Loader) -> Iterator[tuple[Tensor, Tensor]]:
    yield from loader


def _digest(model: nn.Module) -> str:
    """Sixteen hexadecimal digits that stand for the model's parameters and buffers."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _shape(loader: Loader) -> tuple[int, int, int]:
    first = next(iter(loader), None)
    if first is None:
        raise UsageError("no batch to train on; give a loader that is not empty")
    return tuple(first[0].shape[1:])
