"""The epoch loop: rates, resuming to the same bits, frozen parameters, what is written."""

import json

import pytest
import torch

from penni_hls.errors import UsageError
from penni_hls.training.train import Hooks, TrainConfig, evaluate, fit

from ..compression.interrupt import Stopped, assert_same_bits, stop_after
from ..compression.nets import batches, small_resnet

CONFIG = TrainConfig(epochs=3, lr=0.05, seed=4)


def test_rates():
    config = TrainConfig(epochs=10, lr=0.1, warmup=0.25)
    assert config.rate(0) == pytest.approx(0.004)
    assert config.rate(0.25) == pytest.approx(0.1)
    assert config.rate(0.625) == pytest.approx(0.05)
    assert config.rate(1) == pytest.approx(0)
    assert TrainConfig(epochs=1, lr=0.1, warmup=0).rate(0) == pytest.approx(0.1)


@pytest.mark.parametrize("epoch", [1, 2])
def test_interrupted_run_ends_with_the_same_bits(tmp_path, epoch):
    straight, broken = small_resnet(), small_resnet()
    metrics = fit(straight, batches(), batches(False), CONFIG)
    with pytest.raises(Stopped):
        fit(broken, batches(), batches(False), CONFIG, directory=tmp_path, report=stop_after("train", epoch))
    fresh = small_resnet(seed=9)
    again = fit(fresh, batches(), batches(False), CONFIG, directory=tmp_path)
    assert_same_bits(straight, fresh)
    assert [(m.epoch, m.loss, m.accuracy) for m in again] == [(m.epoch, m.loss, m.accuracy) for m in metrics]
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3] and lines[2]["loss"] == metrics[2].loss
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.ckpt", "train.jsonl"]


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    fit(small_resnet(), batches(), None, TrainConfig(epochs=1), directory=tmp_path)
    with pytest.raises(UsageError, match="other settings"):
        fit(small_resnet(), batches(), None, TrainConfig(epochs=2), directory=tmp_path)
    with pytest.raises(UsageError, match="does not fit"):
        fit(torch.nn.Linear(2, 2), batches(), None, TrainConfig(epochs=1), directory=tmp_path)
    (tmp_path / "train.ckpt").write_bytes(b"half a file")
    with pytest.raises(UsageError, match=r"train\.ckpt"):
        fit(small_resnet(), batches(), None, TrainConfig(epochs=1), directory=tmp_path)


def test_it_learns():
    model = small_resnet()
    before = evaluate(model, batches(False))
    metrics = fit(model, batches(), batches(False), TrainConfig(epochs=12, lr=0.1))
    assert metrics[-1].loss < 0.7 * metrics[0].loss
    assert metrics[-1].accuracy is not None and metrics[-1].accuracy > before + 15


def test_frozen_parameters_do_not_move_whatever_momentum_and_decay_hold():
    model = small_resnet()
    seen = {}

    def epoch(number):
        model.conv1.weight.requires_grad_(number != 1)
        seen[number] = model.conv1.weight.detach().clone()

    fit(model, batches(), None, CONFIG, hooks=Hooks(epoch=epoch))
    assert not torch.equal(seen[0], seen[1])
    assert torch.equal(seen[1], seen[2])
    assert not torch.equal(seen[2], model.conv1.weight)


def test_penalty_and_teacher_change_what_is_learnt():
    plain, pulled, taught = small_resnet(), small_resnet(), small_resnet()
    weight = pulled.conv1.weight
    fit(plain, batches(), None, CONFIG)
    fit(pulled, batches(), None, CONFIG, hooks=Hooks(penalty=lambda: 1.0 * weight.abs().sum()))
    fit(taught, batches(), None, CONFIG, teacher=small_resnet(seed=5).eval())
    assert pulled.conv1.weight.abs().sum() < 0.8 * plain.conv1.weight.abs().sum()
    assert not torch.equal(taught.conv1.weight, plain.conv1.weight)


def test_evaluate_counts_in_eval_mode_and_restores():
    model = small_resnet()
    assert model.training
    right = total = 0
    model.eval()
    for x, y in batches(False):
        right += int((model(x).argmax(1) == y).sum())
        total += len(y)
    model.train()
    assert evaluate(model, batches(False)) == pytest.approx(100 * right / total)
    assert model.training


def test_bf16_trains_float32_weights():
    model = small_resnet()
    metrics = fit(model, batches(), None, TrainConfig(epochs=2, bf16=True))
    assert model.conv1.weight.dtype == torch.float32 and metrics[1].loss < metrics[0].loss
