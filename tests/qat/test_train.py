"""qat: it learns, resumes, keeps the pattern of zeros, and refuses other images."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from penni_hls.accuracy import predict_float, predict_integer
from penni_hls.data import Images
from penni_hls.errors import UsageError
from penni_hls.ir.fixed import QType
from penni_hls.ir.ops import BasisConv, SparseMac
from penni_hls.passes.unread_bases import with_all_bases
from penni_hls.qat.train import QatConfig, Teacher, integer_accuracy, qat
from penni_hls.quantize import quantize
from penni_hls.training.batches import Batches

from ..compression.interrupt import Stopped, stop_after
from ..passes.nets import MEAN, STD, pixels, resnet
from .nets import FLOAT_NETS, TRAIN, labelled, trained


@pytest.mark.parametrize("bits", [2, 8])
def test_what_qat_returns_holds_the_pattern_and_its_widths_anew(bits):
    graph = resnet(option_b=True)
    network, after = trained(graph, bits, epochs=2)
    pattern = with_all_bases(quantize(graph, coef_bits=8, calibration=pixels(32, 8)).graph)
    changed = 0
    for old, new, wide in zip(network.start.graph, with_all_bases(after.graph), pattern, strict=True):
        if isinstance(new.op, BasisConv):
            assert np.abs(new.op.basis).max() <= 127 and new.op.shifts == old.op.shifts
        if isinstance(new.op, SparseMac):
            assert new.op.coef_type == QType(bits, True) and np.abs(new.op.coefs).max() <= QType(bits, True).hi
            assert not new.op.coefs[(wide.op.coefs == 0) & (old.op.coefs == 0)].any()
            changed += int((new.op.coefs != old.op.coefs).sum())
            rebuilt = SparseMac(new.op.z, new.op.coefs, new.op.coef_type, new.op.requant, new.op.skip, new.op.flatten)
            assert (new.op.acc_type, new.op.total_type) == (rebuilt.acc_type, rebuilt.total_type)
            assert not new.op.requant.multiplier[~new.op.coefs.any(1)].any()
    assert changed
    assert after.logit_scale == network.start.logit_scale


def test_it_learns():
    """Ternary, from uint8 pixels; scored on images that it has seen and on others."""
    graph = resnet(option_b=True)
    seen, unseen = labelled(graph, 256), labelled(graph, 400, seed=8)
    x = torch.from_numpy(seen.images).permute(0, 3, 1, 2).split(32)
    batches = list(zip(x, torch.from_numpy(seen.labels).long().split(32), strict=True))
    config = QatConfig(coef_bits=2, epochs=14, train=replace(TRAIN, lr=2e-3))
    before = quantize(graph, coef_bits=2, calibration=pixels(32, 8))
    after = qat(graph, batches, config=config, calibration=pixels(32, 8))
    for data, gain in ((seen, 6), (unseen, 3)):
        scores = [integer_accuracy(network, data.images, data.labels) for network in (before, after)]
        assert scores[1] > scores[0] + gain


def test_interrupted_training_ends_with_the_same_network(tmp_path):
    graph = resnet()
    _, straight = trained(graph, 4, epochs=3)
    with pytest.raises(Stopped):
        trained(graph, 4, epochs=3, directory=tmp_path, report=stop_after("qat", 1))
    seen = []
    _, again = trained(graph, 4, epochs=3, directory=tmp_path, report=lambda metrics: seen.append(metrics.epoch))
    assert seen == [2, 3] and (tmp_path / "qat.jsonl").exists()
    for one, other in zip(straight.graph, again.graph, strict=True):
        if isinstance(one.op, SparseMac):
            assert np.array_equal(one.op.coefs, other.op.coefs)
            assert np.array_equal(one.op.requant.bias, other.op.requant.bias)
            assert np.array_equal(one.op.requant.multiplier, other.op.requant.multiplier)
        if isinstance(one.op, BasisConv):
            assert np.array_equal(one.op.basis, other.op.basis)
    with pytest.raises(UsageError, match=r"qat\.ckpt"):
        trained(resnet(seed=1), 4, epochs=3, directory=tmp_path)


def test_accuracy_after_each_epoch_is_that_of_the_integer_reference():
    graph = resnet()
    data = labelled(graph, 64, seed=2)
    test = Batches(data, 64, train=False, mean=MEAN, std=STD)
    metrics = []
    _, after = trained(graph, 4, epochs=2, test_loader=test, report=metrics.append)
    hits = predict_integer(after.graph, data.images).argmax(1) == data.labels
    assert metrics[-1].accuracy == pytest.approx(100 * hits.mean()) == integer_accuracy(after, data.images, data.labels)


def test_images_of_another_normalisation_are_refused():
    graph = resnet()
    data = labelled(graph, 16)
    with pytest.raises(UsageError, match="normalis"):
        qat(graph, Batches(data, 16, train=True, mean=(0, 0, 0), std=(1 / 255,) * 3))
    with pytest.raises(UsageError, match=r"\(N, 3, 8, 8\)"):
        qat(graph, Batches(Images(data.images[:, :6], data.labels), 16, train=True, mean=MEAN, std=STD))


@pytest.mark.parametrize("name", FLOAT_NETS)
def test_the_teacher_is_the_float_network(name):
    graph = FLOAT_NETS[name]()
    images = pixels(6, 8)
    x, _ = next(iter(Batches(Images(images, np.zeros(6, np.uint8)), 6, train=False, mean=MEAN, std=STD)))
    wanted = predict_float(graph, images)
    for given in (x, torch.from_numpy(images).permute(0, 3, 1, 2)):
        np.testing.assert_allclose(Teacher(graph)(given).detach().numpy(), wanted, atol=2e-4 * np.abs(wanted).max())
