"""Small float networks with BatchNorm, ReLU, constants and additions wherever they may stand."""

from __future__ import annotations

from penni_hls.ir.graph import Graph
from penni_hls.ir.layers import AvgPool, GlobalAvgPool, Layer, MaxPool

from .nets import Net


def preactivation() -> Graph[Layer]:
    """BatchNorm and ReLU before each convolution, the second block with stride 2 and a convolution as its shortcut."""
    net = Net()
    x = net.penni("conv1", 6)
    for name, channels, stride in (("block1", 6, 1), ("block2", 8, 2)):
        net.norm(f"{name}.norm1", x)
        y = net.relu(f"{name}.relu1")
        net.penni(f"{name}.conv1", channels, stride)
        net.norm(f"{name}.norm2")
        net.relu(f"{name}.relu2")
        main = net.penni(f"{name}.conv2", channels)
        skip = x if stride == 1 else net.conv(f"{name}.shortcut", channels, 1, stride, y)
        x = net.sum(f"{name}.add", main, skip)
    net.norm("norm")
    net.relu("relu")
    return net.head()


def norms() -> Graph[Layer]:
    """BatchNorm of the pixels, behind a concatenation, behind pooling, two in a row, of a map that others read too."""
    net = Net()
    net.norm("pixels")
    first = net.unit("a", 4)
    net.add("max", MaxPool(net.spec(net.unit("b", 5, first)), 2, 2))
    net.norm("behind.max")
    net.norm("again")
    x = net.relu("relu")
    y = net.penni("c", 4)
    z = net.norm("c.norm", y)
    net.concat("cat", net.concat("both", x, net.scale("small", 0.125, source=y)), z)
    net.norm("behind.cat")
    net.relu("cat.relu")
    net.unit("d", 6)
    net.add("pool", GlobalAvgPool(net.spec(net.last)))
    net.norm("behind.pool")
    return net.linear("linear", 5)


def sums() -> Graph[Layer]:
    """Of two ReLUs, of a map with itself, of three maps, of pools, of the pixels with a ReLU and with themselves."""
    net = Net()
    a, b, c = (net.unit(name, 3, "input") for name in "abc")
    x = net.sum("relus", a, b)
    x = net.sum("nested", net.sum("inner", x, c), b)
    x = net.sum("twice", x, x)
    x = net.sum("pixels", "input", net.sum("pixel", x, "input"))
    pools = [
        net.add("max", MaxPool(net.spec(x), 2, 2), x),
        net.add("mean", AvgPool(net.spec(a), 2, 2), a),
        net.add("pixel.mean", AvgPool(net.spec("input"), 3, 2, 1), "input"),
    ]
    x = net.sum("pools", *pools[:2])
    x = net.sum("more", x, pools[2])
    net.unit("d", 12, x)
    net.unit("e", 8)
    return net.head()


def constants() -> Graph[Layer]:
    """Products with and sums of constants: of the pixels, behind a convolution, of signed maps and of ReLUs, negative and
    zero ones; a difference; bounds of the pixels."""
    net = Net()
    net.scale("normalised", [2.0, 0.5, 1.0], [0.5, -0.25, 0.0])
    first = net.unit("a", 4)
    net.scale("half", 0.5)
    net.conv("b", 4)
    net.scale("behind", [0.25, -0.125, 0.5, 0.0], 0.5)
    second = net.relu("relu")
    net.sum("difference", first, net.scale("minus", -1.0, source=second))
    third = net.scale("shift", [1.0, -2.0, 0.0, 0.5], [0.5, 1.0, -0.5, 0.0])
    net.clip("bounds", -0.5, 1.0, "input")
    fourth = net.unit("c", 3)
    net.concat("cat", third, fourth)
    net.unit("d", 6)
    return net.head()


NETS = {"preactivation": preactivation, "norms": norms, "sums": sums, "constants": constants}
