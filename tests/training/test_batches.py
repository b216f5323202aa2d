"""Batches: what augmentation may do to an image, and that order and crops depend on seed and epoch alone."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from penni_hls.data import Images
from penni_hls.training.batches import CROP, Batches

from ..compression.nets import images


def everything(loader: Batches) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = zip(*loader, strict=True)
    return torch.cat(x), torch.cat(y)


def test_test_batches_are_the_normalised_images_in_order():
    data = images(10)
    x, y = everything(Batches(data, 4, train=False, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0)))
    wanted = (data.images / 255 - [0.5, 0.25, 0.0]) / [0.5, 0.25, 1.0]
    assert np.allclose(x.permute(0, 2, 3, 1).numpy(), wanted, atol=1e-6)
    assert y.tolist() == data.labels.tolist()


def test_every_training_image_is_a_shift_or_a_mirrored_shift():
    rng = np.random.default_rng(0)
    data = Images(rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8), np.arange(12, dtype=np.uint8))
    x, y = everything(Batches(data, 4, train=True, seed=3, mean=(0, 0, 0), std=(1, 1, 1)))
    assert sorted(y.tolist()) == list(range(12)) and y.tolist() != list(range(12))
    seen = set()
    for image, label in zip(x, y, strict=True):
        padded = F.pad(torch.from_numpy(data.images[label]).permute(2, 0, 1) / 255, (CROP,) * 4)
        matches = [
            (top, left, flip)
            for top in range(2 * CROP + 1)
            for left in range(2 * CROP + 1)
            for flip in (False, True)
            if torch.allclose(
                padded[:, top : top + 8, left : left + 8].flip(2)
                if flip
                else padded[:, top : top + 8, left : left + 8],
                image,
                atol=1e-6,
            )
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) > 6 and {flip for _, _, flip in seen} == {False, True}


def test_order_depends_on_seed_and_epoch_alone():
    a, b, c = (Batches(images(), 16, train=True, seed=seed) for seed in (1, 1, 2))
    first = everything(a)[0]
    torch.rand(3)  # the global generator has no part in it
    assert torch.equal(first, everything(b)[0])
    assert not torch.equal(first, everything(c)[0])
    a.set_epoch(1)
    second = everything(a)[0]
    assert not torch.equal(first, second)
    b.set_epoch(1)
    assert torch.equal(second, everything(b)[0])


def test_length():
    assert len(Batches(images(10), 4, train=True)) == 2 == len(list(Batches(images(10), 4, train=True)))
    assert len(Batches(images(10), 4, train=False)) == 3 == len(list(Batches(images(10), 4, train=False)))


def test_labels_are_needed():
    with pytest.raises(ValueError, match="without labels"):
        Batches(Images(images().images), 4, train=False)
