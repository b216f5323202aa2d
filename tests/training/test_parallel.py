"""Two processes over gloo: they end with the same bits, and with what one process with whole batches computes."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from penni_hls.compression import CompressConfig, compress
from penni_hls.compression.prune import fisher_scores
from penni_hls.errors import UsageError
from penni_hls.training import processes
from penni_hls.training.batches import Batches
from penni_hls.training.train import TrainConfig, evaluate, fit

from ..compression.nets import batches, images, small_resnet

pytestmark = pytest.mark.slow

PROCESSES = 2
PLAIN = TrainConfig(epochs=2, lr=0.02, label_smoothing=0.1, seed=4)
CONFIG = CompressConfig(
    d=4,
    epochs=2,
    gradual=2,
    finetune=2,
    score_batches=3,
    macs=0.5,
    distill=True,
    train=TrainConfig(epochs=0, lr=0.05, seed=3),
)


def plain_net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 10)
    )


def odd_batches() -> Batches:
    """Batches of 15, which two processes cannot share evenly."""
    return Batches(images(), 15, train=True, seed=2)


def tensors() -> TensorDataset:
    x, y = next(iter(Batches(images(17), 17, train=False)))
    return TensorDataset(x, y)


def few() -> DataLoader:
    """Batches of 8, 8 and 1: the last has fewer images than there are processes."""
    return DataLoader(tensors(), 8)


def scores(model: nn.Module) -> dict[str, torch.Tensor]:
    return fisher_scores(compress(model, batches(), None, CompressConfig(epochs=0, finetune=0)).model, batches())


def work(rank: int, folder: Path) -> None:
    """What each process does; its results go to `<rank>.pt`."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", f"file://{folder}/store", rank=rank, world_size=PROCESSES, timeout=timedelta(seconds=120)
    )
    found = {}
    for name, loader in (("odd", odd_batches()), ("few", few())):
        net = plain_net()
        metrics = fit(net, loader, few(), PLAIN)
        found[name] = net.state_dict(), [(m.loss, m.accuracy) for m in metrics]
    found["scores"] = scores(plain_net())

    own = plain_net()
    sampler = DistributedSampler(tensors(), shuffle=False)
    shares = list(processes.batches(DataLoader(tensors(), 4, sampler=sampler), torch.device("cpu")))
    fit(own, DataLoader(tensors(), 4, sampler=sampler), None, PLAIN)
    found["sampler"] = own.state_dict(), [(len(y), share) for _, y, share in shares]

    def keep(metrics) -> None:
        assert rank == 0, "only the leader reports"
        if (metrics.stage, metrics.epoch) == ("finetune", 1):
            shutil.copytree(folder / "straight", folder / "stopped")

    net = small_resnet(seed=rank)  # the leader's is taken
    processes.equalise(net)
    for name in ("straight", "stopped"):
        result = compress(
            net, batches(), few_small(), CONFIG, directory=folder / name, report=keep if not rank else None
        )
        found[name] = result.model.state_dict(), result.accuracy, result.after
        found[f"{name} again"] = evaluate(result.model, few_small())
        keep = None  # type: ignore[assignment]
        distributed.barrier()
    with pytest.raises(UsageError, match="other settings"):
        compress(net, batches(), None, replace(CONFIG, l1=1.0), directory=folder / "straight")
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()


def few_small() -> Batches:
    return Batches(images(33, seed=5), 8, train=False)


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("parallel")
    multiprocessing.spawn(work, (folder,), PROCESSES)
    return [{**torch.load(folder / f"{rank}.pt", weights_only=False), "folder": folder} for rank in range(PROCESSES)]


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", ["odd", "few", "sampler", "straight", "stopped"])
def test_processes_end_with_the_same_bits(found, name):
    assert same(found[0][name][0], found[1][name][0])
    assert name == "sampler" or found[0][name][1:] == found[1][name][1:]


@pytest.mark.parametrize(("name", "loader"), [("odd", odd_batches), ("few", few)])
def test_two_processes_compute_what_one_does(found, name, loader):
    net = plain_net()
    metrics = fit(net, loader(), few(), PLAIN)
    state, seen = found[0][name]
    for key, value in net.state_dict().items():
        assert torch.allclose(value, state[key], atol=1e-5), key
    assert not torch.allclose(plain_net().state_dict()["0.weight"], state["0.weight"], atol=1e-3)  # it has learnt
    assert [loss for loss, _ in seen] == pytest.approx([m.loss for m in metrics], rel=1e-4)
    assert [accuracy for _, accuracy in seen] == [m.accuracy for m in metrics]


def test_scores_are_those_of_one_process(found):
    here = scores(plain_net())
    for name, score in here.items():
        assert torch.equal(found[0]["scores"][name], found[1]["scores"][name])
        assert torch.allclose(score, found[0]["scores"][name], rtol=1e-4, atol=1e-12)
        assert score.max() > 0


def test_a_distributed_sampler_keeps_its_rows(found):
    assert found[0]["sampler"][1] == [
        (4, 0.5),
        (4, 0.5),
        (1, 0.5),
    ]  # 17 images are 9 for each of two, one of them twice


def test_accuracy_counts_every_image_once(found):
    for name in ("straight", "stopped"):
        right = found[0][name][1] * 33 / 100
        assert right == pytest.approx(round(right)) and found[1][f"{name} again"] == found[0][name][1]


def test_an_interrupted_run_resumes_on_all_processes(found):
    assert same(found[0]["straight"][0], found[0]["stopped"][0])
    assert found[0]["straight"][1:] == found[0]["stopped"][1:]
    assert sorted(path.name for path in (found[0]["folder"] / "stopped").iterdir()) == [
        "alternate.ckpt",
        "alternate.jsonl",
        "finetune.ckpt",
        "finetune.jsonl",
    ]


def test_another_number_of_processes_is_refused(found, tmp_path):
    shutil.copytree(found[0]["folder"] / "straight", tmp_path / "run")
    with pytest.raises(UsageError, match="processes 2, now 1"):
        compress(small_resnet(), batches(), None, CONFIG, directory=tmp_path / "run")


def test_an_error_of_the_leader_is_raised_by_all():
    def fail() -> None:
        raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        processes.from_leader(fail)
    assert processes.from_leader(lambda: 3) == 3 and processes.world() == 1 and processes.leader()
