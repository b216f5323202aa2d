"""Step C: thresholds, targets checked against brute force, and zeros that stay zero."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from penni_hls.compression.count import count
from penni_hls.compression.decompose import decompose
from penni_hls.compression.prune import (
    Price,
    apply_masks,
    by_deviation,
    by_score,
    fisher_scores,
    gradually,
    held,
    holding,
    mac_prices,
    magnitude_scores,
    parameter_prices,
    sparse_matrices,
    sparsity,
)
from penni_hls.errors import UsageError
from penni_hls.training.train import TrainConfig, fit

from .nets import batches, small_resnet

SHAPE = (3, 8, 8)


def model_of(d=3):
    return decompose(small_resnet(), d)


def test_matrices_are_rows_of_outputs_and_columns_of_maps():
    """Entry (o, c*d + b) is the coefficient of output o on input c's basis map b; a view, not a copy."""
    model = model_of(3)
    matrix = sparse_matrices(model)["conv1.coefs"]
    assert matrix.shape == (8, 9)
    for o, c, b in itertools.product(range(8), range(3), range(3)):
        assert matrix[o, c * 3 + b] == model.conv1.coefs[o * 3 + c, b]
    matrix[0, 0] = 42
    assert model.conv1.coefs[0, 0] == 42
    assert sparse_matrices(model)["layer2.0.shortcut.0.weight"].shape == (16, 8)


def test_by_deviation():
    model = model_of()
    masks = by_deviation(model, 1.0)
    for name, matrix in sparse_matrices(model).items():
        values = matrix.flatten().tolist()
        mean = sum(values) / len(values)
        std = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
        for value, keep in zip(values, masks[name].flatten().tolist(), strict=True):
            if abs(abs(value) - std) > 1e-6:
                assert keep == (abs(value) > std)
    assert sparsity(by_deviation(model, 0.0)) == 0
    with pytest.raises(UsageError):
        by_deviation(model, -1)


@pytest.mark.parametrize("column", [0.0, 5.0])
@pytest.mark.parametrize("seed", range(6))
def test_by_score_keeps_the_most_that_its_cost_can_buy(seed, column):
    """Brute force over all masks of a 3x2 and a 2x2 matrix: none of at most the same cost has a higher score."""
    generator = torch.Generator().manual_seed(seed)
    scores = {"a.coefs": torch.rand(3, 2, generator=generator), "b.weight": torch.rand(2, 2, generator=generator)}
    prices = {"a": Price(2.0, column), "b": Price(1.0, 0.0)}

    def cost(masks):
        return sum(
            float(m.sum()) * prices[n.split(".")[0]].weight + float(m.any(0).sum()) * prices[n.split(".")[0]].column
            for n, m in masks.items()
        )

    def score(masks):
        return sum(float(scores[n][m].sum()) for n, m in masks.items())

    choices = []
    for bits in itertools.product((False, True), repeat=10):
        a, b = torch.tensor(bits[:6]).view(3, 2), torch.tensor(bits[6:]).view(2, 2)
        if a.any() and b.any():
            masks = {"a.coefs": a, "b.weight": b}
            choices.append((cost(masks), score(masks)))
    every = cost({"a.coefs": torch.ones(3, 2), "b.weight": torch.ones(2, 2)})
    costs = set()
    for target in range(8, int(every) + 2):
        masks = by_score(scores, prices, target)
        assert cost(masks) <= target
        costs.add(cost(masks))
        most = max(s for c, s in choices if c <= cost(masks))
        assert score(masks) == pytest.approx(most, abs=1e-6)
    assert max(costs) == every and len(costs) >= 4


def test_by_score_leaves_each_layer_its_best_weight_and_no_worthless_one():
    scores = {"a.coefs": torch.tensor([[1.0, 5.0], [0.0, 2.0]]), "b.coefs": torch.tensor([[1e-9, 1e-8]])}
    prices = {"a": Price(), "b": Price()}
    assert by_score(scores, prices, 0)["a.coefs"].tolist() == [[False, True], [False, False]]
    assert by_score(scores, prices, 0)["b.coefs"].tolist() == [[False, True]]
    assert by_score(scores, prices, 100)["a.coefs"].tolist() == [[True, True], [False, True]]
    with pytest.raises(UsageError):
        by_score(scores, prices, -1)


def test_mac_target_is_met_as_counted():
    model = model_of()
    whole = count(model, SHAPE)
    fixed = sum(layer.dense_macs for layer in whole.layers if layer.name == "linear")
    for share in (0.2, 0.5, 0.8):
        model = model_of()
        target = share * whole.macs
        apply_masks(model, by_score(magnitude_scores(model), mac_prices(whole), target - fixed))
        assert 0.97 * target < count(model, SHAPE).macs <= target


def test_parameter_target_is_met_as_counted():
    model = model_of()
    whole = count(model, SHAPE)
    apply_masks(model, by_score(magnitude_scores(model), parameter_prices(whole), 500))
    assert (
        whole.parameters - count(model, SHAPE).parameters
        == sum(a.numel() for a in sparse_matrices(model).values()) - 500
    )


def test_fisher_scores():
    """Against the definition, computed batch by batch with plain backward passes."""
    model = model_of().eval()
    model.conv1.coefs.requires_grad_(False)
    scores = fisher_scores(model, batches(False))
    assert not model.conv1.coefs.requires_grad
    model.conv1.coefs.requires_grad_(True)
    wanted = {name: torch.zeros_like(a) for name, a in sparse_matrices(model).items()}
    for x, y in batches(False):
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        for name, parameter in model.named_parameters():
            if name in wanted:
                wanted[name] += (parameter.grad * parameter.detach()).view_as(wanted[name]) ** 2 / 3
    for name, score in scores.items():
        assert torch.allclose(score, wanted[name], rtol=1e-3, atol=1e-12)
    with pytest.raises(UsageError, match="empty"):
        fisher_scores(model, [])


def test_zeros_stay_zero_through_momentum_and_weight_decay():
    model = model_of()
    fit(model, batches(), None, TrainConfig(epochs=1, weight_decay=1e-2))
    apply_masks(model, by_deviation(model, 1.0))
    masks = held(model)
    assert 0.5 < sparsity(masks) < 0.9
    hooks = holding(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=1e-2)
    parameters = dict(model.named_parameters())
    for step, (x, y) in enumerate([*batches(), *batches()]):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        if step < 4:
            assert hooks.gradient and hooks.step
            hooks.gradient()
            optimizer.step()
            hooks.step()
        else:  # without the hooks: neither momentum nor decay has anything that could move a zero
            for parameter in parameters.values():
                parameter.grad = torch.zeros_like(parameter)
            optimizer.step()
        for name, mask in masks.items():
            values = parameters[name].detach().view_as(mask)
            assert not values[~mask].any() and values[mask].all()
            assert not optimizer.state[parameters[name]]["momentum_buffer"].view_as(mask)[~mask].any()


def test_gradual_pruning_only_ever_removes():
    model = model_of()
    shares, masks = [], []

    def choose(share):
        shares.append(share)
        return by_deviation(model, share)

    fit(
        model,
        batches(),
        None,
        TrainConfig(epochs=4),
        hooks=gradually(model, choose, 3),
        report=lambda _: masks.append(held(model)),
    )
    assert shares == pytest.approx([1 - (2 / 3) ** 3, 1 - (1 / 3) ** 3, 1.0])
    assert sparsity(masks[0]) < sparsity(masks[1]) < sparsity(masks[2]) == sparsity(masks[3])
    for before, after in itertools.pairwise(masks):
        assert all(not (after[name] & ~before[name]).any() for name in before)


def test_dense_kernels_are_not_pruned():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1, groups=4))
    assert list(sparse_matrices(model)) == ["1.weight"]
