"""The epoch loop: seeded, resumable after each epoch to the same result, metrics as JSON lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UsageError
from . import processes
from .resume import Settings, resume, save

Progress = Callable[[str, int, int], None]  # what runs ("finetune 2/6"), batches done, batches in all
FIRST_LR = 0.04  # of the peak, where the warm-up begins


class Loader(Protocol):
    """Gives (x, y) batches and says how many.

    `set_epoch(epoch)`, its own or its sampler's, is called where it exists. `identity`, where it exists, says what
    decides the batches: a run does not resume on others.
    """

    def __iter__(self) -> Any: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class TrainConfig:
    """SGD, Nesterov: the rate rises linearly over the share `warmup` of all steps, then falls as a cosine to 0."""

    epochs: int
    lr: float = 0.1
    warmup: float = 0.15
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    bf16: bool = False
    seed: int = 0

    def rate(self, progress: float) -> float:
        """The learning rate where `progress` (0 to 1) of the steps are done."""
        if progress < self.warmup:
            return self.lr * (FIRST_LR + (1 - FIRST_LR) * progress / self.warmup)
        return self.lr * 0.5 * (1 + cos(pi * (progress - self.warmup) / (1 - self.warmup)))


@dataclass(frozen=True)
class Metrics:
    """One epoch. Accuracies in percent (training batches as seen; test set); sparsity: the share of zero weights."""

    stage: str
    epoch: int
    epochs: int
    loss: float
    train_accuracy: float
    accuracy: float | None
    sparsity: float
    nonzero: int
    lr: float
    seconds: float
    left_s: float

    def line(self) -> str:
        accuracy = "" if self.accuracy is None else f"  test {self.accuracy:5.2f} %"
        learnt = f"loss {self.loss:.4f}  train {self.train_accuracy:5.2f} %{accuracy}"
        time_left = f"{self.seconds:.0f} s, {self.left_s / 60:.1f} min left"
        return f"{self.stage} {self.epoch}/{self.epochs}  {learnt}  zeros {100 * self.sparsity:5.2f} %  {time_left}"


@dataclass(frozen=True)
class Hooks:
    """What a stage adds to the plain loop.

    epoch(e): before epoch e (from 0), e.g. freezes parameters. penalty(): added to the loss. gradient(): after
    backward, before the step. step(): after the step.
    """

    epoch: Callable[[int], None] | None = None
    penalty: Callable[[], Tensor] | None = None
    gradient: Callable[[], None] | None = None
    step: Callable[[], None] | None = None


def fit(
    model: nn.Module,
    train_loader: Loader,
    test_loader: Iterable[tuple[Tensor, Tensor]] | None,
    config: TrainConfig,
    *,
    stage: str = "train",
    hooks: Hooks = Hooks(),  # noqa: B008 (frozen)
    teacher: nn.Module | None = None,
    directory: Path | None = None,
    identity: str = "",
    later: int = 0,
    report: Callable[[Metrics], None] | None = None,
    progress: Progress | None = None,
) -> list[Metrics]:
    """Train `model` in place; return a Metrics for each epoch.

    With a `directory`, `<stage>.ckpt` there is replaced after each epoch and `<stage>.jsonl` holds the metrics; where
    it exists already, training resumes from it. With a `teacher` (knowledge distillation), the loss is the mean of the
    labels' and the teacher's cross entropy. `identity` is what else decides the result (where training starts, what the
    hooks do): a checkpoint of another identity is refused. `later` epochs follow in other stages: they count in the
    time left. `report` gets each epoch, `progress` each batch. Of several processes (see `training.processes`) the
    leader writes and reports.
    """
    path = directory / f"{stage}.ckpt" if directory else None
    settings: Settings = asdict(config) | {
        "identity": identity,
        "batches": getattr(train_loader, "identity", ""),
        "processes": processes.world(),
    }
    processes.equalise(model)
    optimizer = torch.optim.SGD(
        _groups(model, config.weight_decay), config.lr, momentum=config.momentum, nesterov=config.momentum > 0
    )
    done: list[Metrics] = []
    if path:
        done = [Metrics(**line) for line in resume(path, model, optimizer, settings)]
    for epoch in range(len(done), config.epochs):
        begin = time.perf_counter()
        torch.manual_seed(config.seed * 1_000_003 + epoch)  # for loaders and layers that draw from the global generator
        for owner in (train_loader, getattr(train_loader, "sampler", None)):
            getattr(owner, "set_epoch", lambda _: None)(epoch)
        if hooks.epoch:
            hooks.epoch(epoch)
        for parameter in model.parameters():
            if not parameter.requires_grad:  # frozen: neither gradient nor momentum may move it now or when it thaws
                parameter.grad = None
                optimizer.state.pop(parameter, None)
        advance = progress and processes.leader() and partial(progress, f"{stage} {epoch + 1}/{config.epochs}")
        loss, train_accuracy, lr = _epoch(
            model, train_loader, optimizer, config, epoch, hooks, teacher, advance or None
        )
        if not isfinite(loss):
            raise UsageError(
                f"{stage}: training diverged in epoch {epoch + 1} (loss {loss}); use a lower learning rate"
            )
        processes.mean_statistics(model)
        accuracy = evaluate(model, test_loader) if test_loader is not None else None
        seconds = time.perf_counter() - begin
        zeros, total = _zeros(model)
        done.append(
            Metrics(
                stage=stage,
                epoch=epoch + 1,
                epochs=config.epochs,
                loss=loss,
                train_accuracy=train_accuracy,
                accuracy=accuracy,
                sparsity=zeros / total,
                nonzero=total - zeros,
                lr=lr,
                seconds=seconds,
                left_s=seconds * (config.epochs - epoch - 1 + later),
            )
        )
        if path and processes.leader():
            save(path, model, optimizer, settings, [asdict(metrics) for metrics in done])
        if report and processes.leader():
            report(done[-1])
    return done


@torch.no_grad()
def evaluate(model: nn.Module, loader: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Top-1 in percent, in float32."""
    training, device = model.training, next(model.parameters()).device
    model.eval()
    right, count = torch.zeros((), dtype=torch.long, device=device), torch.zeros((), dtype=torch.long, device=device)
    for x, y, _ in processes.batches(loader, device, empty=True):
        if len(y):
            right += (model(x).argmax(1) == y).sum()
            count += len(y)
    model.train(training)
    processes.total(right, count)
    if not count:
        raise UsageError("no image to score the network on; give a loader that is not empty")
    return 100 * int(right) / int(count)


def _epoch(
    model: nn.Module,
    loader: Loader,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    epoch: int,
    hooks: Hooks,
    teacher: nn.Module | None,
    advance: Callable[[int, int], None] | None,
) -> tuple[float, float, float]:
    """One pass over the loader: mean loss, accuracy in percent, last learning rate.

    Each process's gradient is of its rows' share of the mean loss over the whole batch; their sum is the gradient.
    """
    model.train()
    parameters = list(model.parameters())
    device = parameters[0].device
    losses: list[Tensor] = []
    right, count = torch.zeros((), dtype=torch.long, device=device), torch.zeros((), dtype=torch.long, device=device)
    lr = 0.0
    for i, (x, y, share) in enumerate(processes.batches(loader, device)):
        lr = config.rate((epoch + i / len(loader)) / config.epochs)
        for group in optimizer.param_groups:
            group["lr"] = lr
        with torch.autocast(x.device.type, torch.bfloat16, enabled=config.bf16):
            logits = model(x)
            if teacher is not None:
                with torch.no_grad():
                    soft = teacher(x).float().softmax(1)
        logits = logits.float()
        loss = F.cross_entropy(logits, y, label_smoothing=config.label_smoothing)
        if teacher is not None:
            loss = 0.5 * (loss + F.cross_entropy(logits, soft))
        loss = loss * share
        losses.append(loss.detach())
        if hooks.penalty:
            loss = loss + hooks.penalty() / processes.world()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        processes.sum_gradients(parameters)
        if hooks.gradient:
            hooks.gradient()
        optimizer.step()
        if hooks.step:
            hooks.step()
        right += (logits.detach().argmax(1) == y).sum()
        count += len(y)
        if advance:
            advance(i + 1, len(loader))
    if not losses:
        raise UsageError("no batch to train on; give a loader that is not empty")
    (summed, _, _) = processes.total(torch.stack(losses), right, count)
    return float(summed.mean()), 100 * int(right) / int(count), lr


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay on matrices and kernels only, not on BatchNorm's scale and shift or on biases."""
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


def _zeros(model: nn.Module) -> tuple[int, int]:
    """Zero weights and all weights, over the parameters with more than one dimension."""
    weights = [p.detach() for p in model.parameters() if p.dim() > 1]
    return sum(int((w == 0).sum()) for w in weights), sum(w.numel() for w in weights)
