"""What tests of interrupted runs share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from penni_hls.training.train import Metrics


class Stopped(Exception):
    pass


def stop_after(stage: str, epoch: int) -> Callable[[Metrics], None]:
    """A `report` that interrupts the run when epoch `epoch` of `stage` is done, and stored."""

    def report(metrics: Metrics) -> None:
        if (metrics.stage, metrics.epoch) == (stage, epoch):
            raise Stopped

    return report


def assert_same_bits(one: nn.Module, other: nn.Module) -> None:
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
