"""All steps together, on a network so small that it takes a second."""

from dataclasses import replace

import pytest
import torch

from penni_hls.compression import CompressConfig, compress
from penni_hls.compression.count import count
from penni_hls.compression.decompose import PenniConv2d
from penni_hls.errors import UsageError
from penni_hls.training.train import TrainConfig, evaluate

from .interrupt import Stopped, assert_same_bits, stop_after
from .nets import batches, small_resnet

TRAIN = TrainConfig(epochs=0, lr=0.05, weight_decay=1e-4, seed=3)
SMALL = CompressConfig(d=4, epochs=2, gradual=2, finetune=3, score_batches=2, parameters=0.4, macs=0.5, train=TRAIN)


def run(config, directory=None, report=None):
    return compress(small_resnet(), batches(), batches(False), config, directory=directory, report=report)


def test_targets_are_met_as_counted():
    model = small_resnet()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = compress(model, batches(), batches(False), SMALL)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert result.before == count(model, (3, 8, 8))
    assert result.after == count(result.model, (3, 8, 8))
    # shrinking takes more away, never less
    assert result.after.parameters <= 0.4 * result.before.parameters
    assert result.after.macs <= 0.5 * result.before.macs
    assert result.accuracy == evaluate(result.model, batches(False))
    assert [m.stage for m in result.metrics] == ["alternate"] * 2 + ["finetune"] * 3
    assert isinstance(result.model.conv1, PenniConv2d)


def test_shrinking_changes_nothing_but_the_size():
    whole, small = run(replace(SMALL, shrink=False)), run(SMALL)
    x, _ = next(iter(batches(False)))
    with torch.no_grad():
        a, b = whole.model.eval()(x), small.model.eval()(x)
    assert torch.allclose(a, b, atol=1e-4)
    assert small.after.dense_parameters <= whole.after.dense_parameters
    assert whole.after.sparse_macs >= small.after.sparse_macs


@pytest.mark.parametrize(("stage", "epoch"), [("alternate", 1), ("alternate", 2), ("finetune", 1), ("finetune", 2)])
def test_interrupted_run_ends_with_the_same_bits(tmp_path, stage, epoch):
    straight = run(SMALL)
    with pytest.raises(Stopped):
        run(SMALL, tmp_path, stop_after(stage, epoch))
    again = run(SMALL, tmp_path)
    assert straight.after == again.after and straight.accuracy == again.accuracy
    assert_same_bits(straight.model, again.model)


def test_checkpoint_of_another_model_or_config_is_refused(tmp_path):
    run(SMALL, tmp_path)
    assert run(SMALL, tmp_path).accuracy is not None
    for config in (replace(SMALL, macs=0.6), replace(SMALL, l1=1.0), replace(SMALL, train=replace(TRAIN, seed=4))):
        with pytest.raises(UsageError, match="other settings"):
            run(config, tmp_path)
    with pytest.raises(UsageError, match="other settings"):
        compress(small_resnet(seed=1), batches(), batches(False), SMALL, directory=tmp_path)


def test_threshold_without_training():
    config = CompressConfig(d=3, epochs=0, finetune=0, prune=1.0, shrink=False, train=TRAIN)
    result = run(config)
    for module in result.model.modules():
        if isinstance(module, PenniConv2d):
            share = (module.coefs == 0).double().mean()
            assert 0.4 < share < 0.95
    assert result.metrics == ()


def test_without_test_data_and_with_magnitudes_and_teacher():
    config = CompressConfig(
        d=3, epochs=0, gradual=1, finetune=1, parameters=0.5, score="magnitude", distill=True, train=TRAIN
    )
    result = compress(small_resnet(), batches(), None, config)
    assert result.accuracy is None and result.after.parameters <= 0.5 * result.before.parameters


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"prune": 1.0, "macs": 0.5}, "exclude"),
        ({"macs": 0.0}, "share"),
        ({"parameters": 1.5}, "share"),
        ({"score": "luck"}, "luck"),
        ({"gradual": 9, "finetune": 3}, "9 epochs"),
    ],
)
def test_settings_that_make_no_sense(settings, words):
    with pytest.raises(UsageError, match=words):
        CompressConfig(**settings)


def test_target_below_what_is_never_pruned():
    with pytest.raises(UsageError, match="cannot be reached"):
        run(CompressConfig(epochs=0, finetune=1, parameters=0.01, train=TRAIN))
