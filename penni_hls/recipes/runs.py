"""What `penni-hls train` and `penni-hls compress` do: read, train, count, store. Printing is left to the commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ..accuracy import predict_integer, top1
from ..compression.count import count
from ..compression.decompose import compressed
from ..compression.pipeline import CompressConfig, compress
from ..data import CIFAR10_MEAN, CIFAR10_STD, load_cifar10
from ..errors import UsageError
from ..ir.layers import Count
from ..ir.quantized import Quantized
from ..qat.train import QatConfig, qat
from ..training import processes
from ..training.batches import Batches
from ..training.train import Metrics, Progress, TrainConfig, evaluate, fit
from .storage import PENNI, STATE_DICTS, SUFFIXES, check_output, check_place, graph, round_to_half, store
from .weights import architecture, bases, load_network

TEST_BATCH = 500
CALIBRATION = 256  # images
SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class Run:
    """What a run reads and writes, and where it computes.

    output: the file to make. work: the folder for checkpoints and metrics, `<output>.work` where None. batch: images
    per step, over all processes. device: "auto", "cpu", "cuda" or "cuda:1". half: store in half precision.
    """

    arch: str
    data: Path
    output: Path
    work: Path | None = None
    batch: int = 128
    seed: int = 0
    mean: Sequence[float] = CIFAR10_MEAN
    std: Sequence[float] = CIFAR10_STD
    device: str = "auto"
    half: bool = False

    @property
    def directory(self) -> Path:
        return self.work or self.output.with_name(self.output.name + ".work")

    def check(self, suffixes: Sequence[str] = SUFFIXES) -> None:
        """UsageError where what it is to write cannot be written, or the options make no sense."""
        check_output(self.output, suffixes)
        if self.directory.exists() and not self.directory.is_dir():
            raise UsageError(f"--work {self.directory}: it is not a directory; choose another")
        check_place(self.directory / "checkpoint", "--work")
        if len(self.mean) != SHAPE[0] or len(self.std) != SHAPE[0] or min(self.std) <= 0:
            raise UsageError("--mean and --std are three numbers each, for red, green and blue; --std above 0")

    def batches(self, device: torch.device) -> tuple[Batches, Batches]:
        """Of the training and of the test images."""

        def read(split: str, batch: int) -> Batches:
            images = load_cifar10(self.data, split)
            train = split == "train"
            return Batches(
                images, batch, train=train, seed=self.seed, mean=self.mean, std=self.std, device=device
            )  # fmt: skip

        return read("train", self.batch), read("test", TEST_BATCH)


@dataclass(frozen=True)
class Watch:
    """Callbacks: for each epoch, for each batch, for any other line of text."""

    epoch: Callable[[Metrics], None] | None = None
    batch: Progress | None = None
    say: Callable[[str], None] = lambda text: None

    def note(self, text: str) -> None:
        if processes.leader():
            self.say(text)


@dataclass(frozen=True)
class Outcome:
    """The result of a run. Accuracies in percent, `accuracy` of the stored network; before: of what it started from."""

    accuracy: float
    after: Count
    metrics: tuple[Metrics, ...]
    accuracy_before: float | None = None
    before: Count | None = None
    accuracy_integer: float | None = None  # of the integer network that quantization-aware training made


def train_dense(run: Run, config: TrainConfig, watch: Watch) -> Outcome | None:
    """Train a dense network from scratch and store it. Of several processes only the leader has an outcome."""
    run.check(STATE_DICTS)  # what `compress` reads
    architecture(run.arch)
    with _device(run.device) as device:
        train, test = run.batches(device)
        torch.manual_seed(run.seed)
        model = _place(architecture(run.arch), device)
        metrics = fit(
            model,
            train,
            test,
            replace(config, seed=run.seed),
            directory=run.directory,
            identity=run.arch,
            report=watch.epoch,
            progress=watch.batch,
        )
        if run.half:
            round_to_half(run.output, model)
        accuracy = _store(run, model, test)
        return Outcome(accuracy, count(model, SHAPE), tuple(metrics)) if processes.leader() else None


def compress_network(
    run: Run,
    weights: Path,
    d: Sequence[str],
    config: CompressConfig,
    watch: Watch,
    integers: QatConfig | None = None,
) -> Outcome | None:
    """Compress the network of `weights` and store it; `d` as `weights.bases` takes it. An outcome as above.

    integers: make an integer network of it too, and train that.
    """
    run.check()
    if integers and run.output.suffix not in PENNI:
        raise UsageError(f"-o {run.output}: only a .penni file holds the integer network that --qat makes; name it so")
    if run.output.exists() and weights.exists() and run.output.samefile(weights):
        raise UsageError(f"-o {run.output}: would overwrite the weights it starts from; choose another with -o")
    model = load_network(run.arch, weights)
    config = replace(config, d=bases(d, model), train=replace(config.train, seed=run.seed))
    with _device(run.device) as device:
        train, test = run.batches(device)
        model = _place(model, device)
        before = evaluate(model, test)
        watch.note(f"{'compressed' if compressed(model) else 'dense'}: {before:.2f} % top-1")
        if before < 20:
            watch.note("note: that is hardly above chance; are --mean and --std those it was trained with?")
        result = compress(model, train, test, config, directory=run.directory, report=watch.epoch, progress=watch.batch)
        if run.half:
            round_to_half(run.output, result.model)
        quantized = _quantized(run, result.model, train, test, integers, watch) if integers else None
        accuracy = _store(run, result.model, test, quantized)
        if not processes.leader():
            return None
        integer = _score(run, quantized, watch) if quantized else None
        return Outcome(accuracy, result.after, result.metrics, before, result.before, integer)


def _quantized(run: Run, model: nn.Module, train: Batches, test: Batches, config: QatConfig, watch: Watch) -> Quantized:
    """The integer network of `model`, trained. Its ranges come from training images."""
    some = train.images[:CALIBRATION].permute(0, 2, 3, 1).cpu().numpy()
    return qat(
        graph(model, run.mean, run.std),
        train,
        test,
        replace(config, train=replace(config.train, seed=run.seed)),
        calibration=some,
        directory=run.directory,
        report=watch.epoch,
        progress=watch.batch,
    )


def _store(run: Run, model: nn.Module, test: Batches, quantized: Quantized | None = None) -> float:
    """Write the network, rounded already where it is stored in half precision; its accuracy."""
    accuracy = evaluate(model, test)
    if processes.leader():
        store(run.output, model, run.mean, run.std, run.half, quantized)
    return accuracy


def _score(run: Run, quantized: Quantized, watch: Watch) -> float:
    """Top-1 in percent of the integer network, by the Python reference."""
    test = load_cifar10(run.data)
    assert test.labels is not None
    predict = partial(predict_integer, quantized.graph)
    return top1(predict, test.images, test.labels, watch.batch and partial(watch.batch, "integer network"))


def _place(model: nn.Module, device: torch.device) -> nn.Module:
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def _device(name: str) -> Iterator[torch.device]:
    """The device called `name`, this process joined to the others."""
    device = _find(name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.deterministic = True  # the same seed, the same result
    with processes.joined(device):
        yield device


def _find(name: str) -> torch.device:
    kind, _, index = name.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (index and not (kind == "cuda" and index.isdecimal())):
        raise UsageError(f"--device {name}: use auto, cpu, cuda, or cuda:1 for the second GPU")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cpu" or (kind == "auto" and not there):
        return torch.device("cpu")
    number = int(index) if index else processes.local_rank()
    if number >= there:
        seen = f"torch sees {there} CUDA devices here" if there else "torch sees no CUDA device here"
        raise UsageError(f"--device {name}: {seen}; use --device cpu, or fewer processes")
    return torch.device("cuda", number)
