"""Several processes that train one network (`torchrun`): which one leads, and sums over all of them.

Without a process group, or in a group of one, everything here costs nothing and changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.utils.data.distributed import DistributedSampler

from ..errors import PenniError, UsageError

T = TypeVar("T")
ANNOUNCED = ("RANK", "MASTER_ADDR", "MASTER_PORT")  # by torchrun, beside WORLD_SIZE
TIMEOUT = timedelta(minutes=30)  # rank 0 alone reads and writes files; on a slow disk the others wait


def rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def leader() -> bool:
    """True on the one process that writes and reports."""
    return rank() == 0


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Join the group that `torchrun` announces in the environment: gloo on CPU, NCCL on CUDA."""
    if (size := _number("WORLD_SIZE", 1)) == 1 or distributed.is_initialized():
        yield
        return
    missing = [name for name in ANNOUNCED if not os.environ.get(name)]
    if missing:
        raise UsageError(
            f"WORLD_SIZE is {size}, but {', '.join(missing)} not set: start with torchrun, or unset WORLD_SIZE"
        )
    if size < 1 or not 0 <= _number("RANK", 0) < size or not 0 < _number("MASTER_PORT", 1) < 1 << 16:
        raise UsageError(
            "WORLD_SIZE, RANK and MASTER_PORT do not go together: start with torchrun, or unset WORLD_SIZE"
        )
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield
        distributed.barrier()  # the leader may still be writing: no process may destroy the group before
    finally:
        distributed.destroy_process_group()


def local_rank() -> int:
    """This process's place on its machine, so its GPU."""
    return _number("LOCAL_RANK", 0)


def _number(name: str, default: int) -> int:
    """A number that torchrun leaves in the environment; UsageError where it is none."""
    text = os.environ.get(name) or str(default)
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"the environment variable {name} is '{text[:40]}', not a number: unset it") from None


def batches(
    loader: Iterable[tuple[Tensor, Tensor]], device: torch.device, *, empty: bool = False
) -> Iterator[tuple[Tensor, Tensor, float]]:
    """This process's rows (x, y) of each batch on `device`, and their share of the whole batch's rows.

    Each process's loader gives the same whole batches, of which the process takes every `world`-th row; or, with a
    DistributedSampler, its own rows. A batch of fewer rows than processes is trained on whole by all of them; with
    `empty`, which is for counting, some have nothing of it.
    """
    own = isinstance(getattr(loader, "sampler", None), DistributedSampler)
    for x, y in loader:
        share = 1.0
        if own or (len(y) < world() and not empty):
            share = 1 / world()
        elif world() > 1:
            rows = len(y)
            x, y = x[rank() :: world()], y[rank() :: world()]
            share = len(y) / rows
        yield x.to(device, non_blocking=True), y.to(device, non_blocking=True), share


def total(*values: Tensor) -> tuple[Tensor, ...]:
    """Each tensor summed over the processes."""
    if world() > 1:
        for value in values:
            distributed.all_reduce(value)
    return values


@torch.no_grad()
def sum_gradients(parameters: list[nn.Parameter]) -> None:
    """Sum, in place, each gradient over the processes, in one message; the sums are the same bits everywhere."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if world() == 1 or not gradients:
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    for gradient, summed in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(summed.view_as(gradient))


@torch.no_grad()
def mean_statistics(model: nn.Module) -> None:
    """Average, in place, BatchNorm's running statistics: they are linear in what the batches showed.

    Each process gathers those of its own rows; training does not read them, so once an epoch is enough.
    """
    for module in model.modules():
        if world() > 1 and isinstance(module, nn.modules.batchnorm._BatchNorm):
            for statistic in (module.running_mean, module.running_var):
                if statistic is not None:
                    distributed.all_reduce(statistic)
                    statistic.div_(world())


@torch.no_grad()
def equalise(model: nn.Module) -> None:
    """Give every process the leader's parameters and buffers."""
    if world() > 1:
        for value in (*model.parameters(), *model.buffers()):
            distributed.broadcast(value.data, 0)


def from_leader(make: Callable[[], T]) -> T:
    """What `make` gives on the leader, on every process; where it raises PenniError, all of them raise it."""
    if world() == 1:
        return make()
    outcome: list = [None, None]
    if leader():
        try:
            outcome[0] = make()
        except PenniError as error:
            outcome[1] = error
    distributed.broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]
