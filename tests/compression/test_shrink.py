"""Step D: the shrunk network equals the pruned one; channels go exactly where that is exact; a fixed point."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from penni_hls.compression.decompose import PenniConv2d, decompose
from penni_hls.compression.prune import sparse_matrices
from penni_hls.compression.shrink import shrink
from penni_hls.errors import UsageError
from penni_hls.zoo.models import ResNet, Vgg16

from .nets import shake


def sparse(model, d=3, seed=0, rows=0.4, columns=0.4):
    """Decompose, shake, zero half of the weights, whole rows and whole columns."""
    shake(model, seed)
    decompose(model, d)
    modules = dict(model.named_modules())
    for name, matrix in sparse_matrices(model).items():
        module = modules[name.rpartition(".")[0]]
        group = module.d if isinstance(module, PenniConv2d) else 1
        matrix.masked_fill_(torch.rand_like(matrix) < 0.5, 0)
        matrix[torch.rand(matrix.shape[0]) < rows] = 0
        matrix[:, (torch.rand(matrix.shape[1] // group) < columns).repeat_interleave(group)] = 0
    return model


def shapes(model):
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def assert_equal(a, b, x):
    with torch.no_grad():
        wanted = a(x)
        assert wanted.std() > 0
        assert torch.allclose(b(x), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("option", ["A", "B"])
@pytest.mark.parametrize("seed", range(4))
def test_resnet(option, seed):
    torch.manual_seed(seed)
    model = sparse(ResNet((2, 2, 1), (8, 16, 24), option), seed=seed)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.randn(3, 3, 12, 12, dtype=torch.double)
    small = shrink(model, x[:1])
    assert_equal(model, small, x)
    assert sum(p.numel() for p in small.parameters()) < 0.8 * sum(p.numel() for p in model.parameters())
    again = shrink(small, x[:1])
    assert shapes(again) == shapes(small)
    assert_equal(model, again, x)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not small.training and shrink(model.train(), x[:1]).training


def test_vgg(monkeypatch):
    monkeypatch.setattr(Vgg16, "PLAN", (8, 8, "M", 16, 16, "M"))
    torch.manual_seed(0)
    model = Vgg16()
    model.classifier = nn.Linear(16 * 4, 10)  # four pixels are left: a channel is four features
    sparse(model)
    x = torch.randn(2, 3, 8, 8, dtype=torch.double)
    small = shrink(model, x[:1])
    assert_equal(model, small, x)
    assert small.classifier.in_features == 4 * small.features[10].out_channels < 64


def chain(second, bias):
    """conv 3x3 -> BatchNorm -> ReLU -> `second`; nothing writes channel 1 of the first, `bias` is its BatchNorm's."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), *second)
    shake(model)
    with torch.no_grad():
        model[0].weight[1] = 0
        model[1].running_mean[1] = 0
        model[1].bias[1] = bias
    return model


X = torch.randn(2, 3, 6, 6, dtype=torch.double, generator=torch.Generator().manual_seed(1))


def test_constant_at_a_padded_border_is_kept():
    model = chain([nn.Conv2d(4, 5, 3, padding=1)], bias=0.7)
    small = shrink(model, X[:1])
    assert_equal(model, small, X)
    assert small[0].out_channels == 4


def test_zero_behind_relu_goes():
    model = chain([nn.Conv2d(4, 5, 3, padding=1)], bias=-0.7)
    small = shrink(model, X[:1])
    assert_equal(model, small, X)
    assert small[0].out_channels == small[1].num_features == small[3].in_channels == 3


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("kernel", [1, 3])
def test_constant_is_folded_where_nothing_is_padded(kernel, norm, bias):
    """Into the bias, into the mean of the BatchNorm behind, or into a bias that was not there."""
    second = [nn.Conv2d(4, 5, kernel, bias=bias), *([nn.BatchNorm2d(5)] if norm else []), nn.ReLU()]
    model = chain(second, bias=0.7)
    small = shrink(model, X[:1])
    assert_equal(model, small, X)
    assert small[0].out_channels == 3
    assert (small[3].bias is not None) == (bias or not norm)


def test_constant_is_folded_into_a_linear_layer():
    model = chain([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3, bias=False)], bias=0.7)
    small = shrink(model, X[:1])
    assert_equal(model, small, X)
    assert small[5].in_features == 3 and small[5].bias is not None


def test_constants_follow_each_other_to_the_end():
    """A channel that reads only a constant is itself constant, and goes with it."""
    model = chain([nn.Conv2d(4, 2, 1), nn.ReLU(), nn.Conv2d(2, 3, 1)], bias=0.7)
    with torch.no_grad():
        model[3].weight[0] = 0
        model[3].weight[0, 1] = 2.0
    small = shrink(model, X[:1])
    assert_equal(model, small, X)
    assert (small[0].out_channels, small[3].out_channels, small[5].in_channels) == (3, 1, 1)


def test_unread_channels_go_back_to_the_start():
    model = chain([nn.Conv2d(4, 2, 3), nn.ReLU(), nn.Conv2d(2, 3, 1)], bias=-1.0)
    with torch.no_grad():
        model[5].weight[:, 0] = 0  # nothing reads 0, which alone reads channels 2 and 3 of the first
        model[3].weight[1, 2:] = 0
    small = shrink(model, X[:1])
    assert_equal(model, small, X)
    assert (small[0].out_channels, small[3].out_channels) == (1, 1)


class Joined(nn.Module):
    """Two branches added: the union of their channels stays."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.end = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        return self.end(F.relu(self.a(x) + self.b(x)))


def test_union_across_an_addition():
    torch.manual_seed(0)
    model = Joined().double().eval()
    with torch.no_grad():
        model.a.weight[[0, 1]] = 0
        model.b.weight[[1, 2]] = 0
    small = shrink(model, X[:1])
    assert_equal(model, small, X)
    assert small.a.out_channels == small.b.out_channels == small.end.in_channels == 3  # 1 is a's bias alone


def test_bases_that_nothing_reads_go():
    layer = PenniConv2d(3, 4, 3, 3, padding=1)
    nn.init.normal_(layer.coefs)
    nn.init.normal_(layer.basis)
    with torch.no_grad():
        layer.coefs[:, 1] = 0
    model = nn.Sequential(layer).double().eval()
    small = shrink(model, X[:1])
    assert_equal(model, small, X)
    assert torch.equal(small[0].basis, model[0].basis[[0, 2]])


class Odd(nn.Module):
    """Operations that the analysis does not know between two convolutions, and a layer that is used twice."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.first, self.twice, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x = self.first(x)
        if self.kind == "roll":
            x = torch.roll(x, 1, 1)
        elif self.kind == "softmax":
            x = F.softmax(x, 1)
        elif self.kind == "scalar":
            x = x + 1
        elif self.kind == "view":
            x = x.view(x.shape[0], 2, 2, 6, 6).transpose(1, 2).reshape(x.shape[0], 4, 6, 6)
        elif self.kind == "shared":
            x = self.twice(F.relu(self.twice(x)))
        elif self.kind == "gate":
            x = x * torch.sigmoid(x.mean((2, 3), keepdim=True))
        return self.last(x)


@pytest.mark.parametrize("kind", ["roll", "softmax", "scalar", "view", "shared", "gate", "plain"])
def test_what_is_not_understood_stays(kind):
    torch.manual_seed(0)
    model = Odd(kind).double().eval()
    with torch.no_grad():
        model.first.weight[1] = 0
        model.last.weight[:, 2] = 0
    small = shrink(model, X[:1])
    assert_equal(model, small, X)
    assert small.first.out_channels == (2 if kind == "plain" else 4)


def test_grouped_convolution_and_concatenation():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
            self.grouped, self.last = nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(8, 2, 1)

        def forward(self, x):
            return self.last(torch.cat([self.grouped(self.a(x)), self.b(x)[:, :, 1:-1, 1:-1]], 1))

    class Cat(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1), nn.Conv2d(8, 2, 1)

        def forward(self, x):
            return self.last(torch.cat([self.a(x), self.b(x)], dim=1))

    torch.manual_seed(0)
    for model, left in ((Net(), (4, 4)), (Cat(), (3, 2))):
        model.double().eval()
        with torch.no_grad():
            model.last.weight[:, [1, 4]] = 0
            model.b.weight[3] = 0
        small = shrink(model, X[:1])
        assert_equal(model, small, X)
        assert (small.a.out_channels, small.b.out_channels) == left


def test_a_layer_never_loses_its_last_channel():
    model = chain([nn.Conv2d(4, 5, 1)], bias=0.7)
    with torch.no_grad():
        model[3].weight.zero_()
        model[3].bias.normal_()
    small = shrink(model, X[:1])
    assert_equal(model, small, X)
    assert small[0].out_channels == 1


def test_network_that_cannot_be_traced():
    class Choosing(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(UsageError, match="cannot be traced"):
        shrink(_with_parameter(Choosing()), X[:1])


def _with_parameter(model):
    model.register_parameter("p", nn.Parameter(torch.ones(1)))
    return model
