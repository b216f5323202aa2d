"""Small float networks, built as the readers build them."""

from __future__ import annotations

import numpy as np

from penni_hls.ir.graph import Graph, Node, verify
from penni_hls.ir.layers import (
    Add,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    GlobalAvgPool,
    GroupedConv,
    GroupedPenniConv,
    Input,
    Layer,
    Linear,
    MapSpec,
    MaxPool,
    PadShortcut,
    PenniConv,
    Relu,
    Scale,
    Upsample,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Net:
    """Nodes in order; each reads the one before unless told otherwise."""

    def __init__(self, side: int = 8, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Node[Layer]] = [Node("input", Input(MapSpec((side, side, 3)), MEAN, STD))]

    @property
    def last(self) -> str:
        return self.nodes[-1].name

    def spec(self, name: str) -> MapSpec:
        return next(node.op.out_spec for node in self.nodes if node.name == name)

    def add(self, name: str, op: Layer, *inputs: str) -> str:
        self.nodes.append(Node(name, op, inputs or (self.last,)))
        return name

    def penni(self, name: str, channels: int, stride: int = 1, d: int = 4, keep: float = 0.5, source: str = "") -> str:
        x = self.spec(source or self.last)
        basis = self.rng.standard_normal((d, 3, 3)).astype(np.float32)
        coefs = self.rng.standard_normal((channels, x.shape[2], d)) * (
            self.rng.random((channels, x.shape[2], d)) < keep
        )
        return self.add(name, PenniConv(x, basis, coefs.astype(np.float32), stride, 1), source or self.last)

    def conv(self, name: str, channels: int, kernel: int = 3, stride: int = 1, source: str = "") -> str:
        x = self.spec(source or self.last)
        weight = self.rng.standard_normal((channels, x.shape[2], kernel, kernel)).astype(np.float32)
        return self.add(name, Conv(x, weight, stride, kernel // 2), source or self.last)

    def grouped(self, name: str, channels: int, groups: int, kernel: int = 3, stride: int = 1) -> str:
        x = self.spec(self.last)
        weight = self.rng.standard_normal((channels, x.shape[2] // groups, kernel, kernel)).astype(np.float32)
        return self.add(name, GroupedConv(x, weight, stride, kernel // 2, None, groups))

    def grouped_penni(self, name: str, channels: int, groups: int, d: int = 3) -> str:
        """The last basis and half of the coefficients are 0."""
        x = self.spec(self.last)
        basis = self.rng.standard_normal((d, 3, 3)).astype(np.float32)
        shape = (channels, x.shape[2] // groups, d)
        coefs = self.rng.standard_normal(shape) * (self.rng.random(shape) < 0.5)
        coefs[:, :, -1] = 0
        return self.add(name, GroupedPenniConv(x, basis, coefs.astype(np.float32), 1, 1, None, groups))

    def norm(self, name: str, source: str = "") -> str:
        """A BatchNorm whose statistics are those of its input over random images, so that it does what it is for."""
        source = source or self.last
        values = forward(self.nodes, pixels(16, self.nodes[0].op.out_spec.shape[0]))[source]
        x = self.spec(source)
        gamma, beta = self.rng.uniform(0.5, 1.5, x.shape[2]), self.rng.uniform(-0.5, 0.5, x.shape[2])
        stats = (gamma, beta, values.mean((0, 1, 2)), values.var((0, 1, 2)))
        return self.add(name, BatchNorm(x, *(np.asarray(v, np.float32) for v in stats)), source)

    def scale(self, name: str, gain: float | list[float], offset: float | list[float] = 0.0, source: str = "") -> str:
        return self.add(name, Scale.of(self.spec(source or self.last), gain, offset), source or self.last)

    def sum(self, name: str, first: str, second: str) -> str:
        return self.add(name, Add(self.spec(first)), first, second)

    def relu(self, name: str, source: str = "") -> str:
        return self.add(name, Relu(self.spec(source or self.last)), source or self.last)

    def clip(self, name: str, lo: float | None, hi: float | None, source: str = "") -> str:
        return self.add(name, Clip(self.spec(source or self.last), lo, hi), source or self.last)

    def concat(self, name: str, *inputs: str) -> str:
        return self.add(name, Concat(*map(self.spec, inputs)), *inputs)

    def unit(self, name: str, channels: int, source: str = "", relu: bool = True) -> str:
        """conv, norm and, where asked for, relu; the name of its result."""
        self.penni(f"{name}.conv", channels, source=source)
        self.norm(f"{name}.norm")
        return self.relu(f"{name}.relu") if relu else self.last

    def head(self, classes: int = 5) -> Graph[Layer]:
        self.add("pool", GlobalAvgPool(self.spec(self.last)))
        return self.linear("linear", classes)

    def linear(self, name: str, classes: int) -> Graph[Layer]:
        x = self.spec(self.last)
        weight = self.rng.standard_normal((classes, int(np.prod(x.shape)))).astype(np.float32)
        self.add(name, Linear(x, weight, self.rng.standard_normal(classes).astype(np.float32)))
        return verify(Graph(tuple(self.nodes)))


def block(net: Net, name: str, channels: int, stride: int, option_b: bool, dense: bool = False) -> None:
    """conv, norm, relu, conv, norm, add, relu; a shortcut where the map changes."""
    source, spec = net.last, net.spec(net.last)
    conv = net.conv if dense else net.penni
    conv(f"{name}.conv1", channels, stride=stride)
    net.norm(f"{name}.bn1")
    net.relu(f"{name}.relu1")
    conv(f"{name}.conv2", channels)
    main = net.norm(f"{name}.bn2")
    skip = source
    if stride > 1 and option_b:
        net.conv(f"{name}.shortcut.0", channels, kernel=1, stride=stride, source=source)
        skip = net.norm(f"{name}.shortcut.1")
    elif stride > 1:
        skip = net.add(f"{name}.shortcut", PadShortcut(spec, stride, channels, (channels - spec.shape[2]) // 2), source)
    net.add(f"{name}.add", Add(net.spec(main)), main, skip)
    net.relu(f"{name}.relu2")


def resnet(option_b: bool = False, dense: bool = False, side: int = 8, seed: int = 0) -> Graph[Layer]:
    net = Net(side, seed)
    (net.conv if dense else net.penni)("conv1", 6)
    net.norm("bn1")
    net.relu("relu")
    block(net, "layer1.0", 6, 1, option_b, dense)
    block(net, "layer2.0", 9, 2, option_b, dense)
    return net.head()


def vgg(side: int = 8, seed: int = 0) -> Graph[Layer]:
    net = Net(side, seed)
    for index, channels in enumerate((6, 8)):
        net.penni(f"features.{4 * index}", channels)
        net.norm(f"features.{4 * index + 1}")
        net.relu(f"features.{4 * index + 2}")
        net.add(f"features.{4 * index + 3}", MaxPool(net.spec(net.last), 2, 2))
    net.linear("classifier.0", 12)
    net.relu("classifier.0.relu")
    return net.linear("classifier.3", 5)


def dense_net(side: int = 8, seed: int = 0) -> Graph[Layer]:
    """Each unit's result is concatenated to what it read; max pooling between the second and the third; and the pixels."""
    net = Net(side, seed)
    x = net.unit("stem", 4)
    for index, channels in enumerate((3, 5)):
        x = net.concat(f"cat{index}", x, net.unit(f"unit{index}", channels, x))
    x = net.add("pool0", MaxPool(net.spec(x), 2, 2), x)
    x = net.concat("cat2", net.unit("unit2", 4, x, relu=False), x)
    y = net.add("pool1", MaxPool(net.spec("input"), 2, 2), "input")
    net.concat("cat3", y, x)
    net.unit("last", 6)
    return net.head()


def unet(side: int = 8, seed: int = 0) -> Graph[Layer]:
    """Max pooling, upsampling, the skip concatenated, and upsampling of both."""
    net = Net(side, seed)
    first = net.unit("down", 4)
    net.add("pool0", MaxPool(net.spec(first), 2, 2), first)
    net.unit("bottom", 6)
    wide = net.add("wide", Upsample(net.spec(net.last), 2), net.last)
    x = net.concat("cat", wide, first)
    net.add("wider", Upsample(net.spec(x), 3), x)
    net.conv("across", 6, stride=2)
    net.relu("relu")
    return net.head()


def grouped(side: int = 8, seed: int = 0) -> Graph[Layer]:
    """Depthwise with two results per channel and stride 2, 3x3 in halves, a decomposed layer in halves, 1x1 in
    thirds."""
    net = Net(side, seed)
    net.conv("conv1", 6)
    net.norm("bn1")
    net.relu("relu1")
    net.grouped("depthwise", 12, 6, stride=2)
    net.norm("bn2")
    net.relu("relu2")
    net.grouped("halves", 6, 2)
    net.norm("bn3")
    net.relu("relu3")
    net.grouped_penni("penni", 6, 2)
    net.norm("bn4")
    net.relu("relu4")
    net.grouped("point", 9, 3, kernel=1)
    net.norm("bn5")
    net.relu("relu5")
    return net.head()


def averages(side: int = 8, seed: int = 0) -> Graph[Layer]:
    """Average pooling of the pixels, of maps behind a ReLU and of a signed one, with padding, before a skip."""
    net = Net(side, seed)
    net.add("pool0", AvgPool(net.spec("input"), 3, 1))
    x = net.unit("a", 5)
    y = net.add("pool1", AvgPool(net.spec(x), 3, 2, 1), x)
    net.add("pool2", AvgPool(net.spec(net.unit("b", 5, x, relu=False)), 2, 2))
    net.penni("c.conv", 5)
    z = net.norm("c.norm")
    net.add("add", Add(net.spec(z)), z, y)
    net.relu("relu")
    return net.linear("linear", 5)


def depthwise(side: int = 8, seed: int = 0) -> Graph[Layer]:
    """Depthwise on the pixels, whose zero is no integer 0; decomposed; 5x5 with stride 2 and without a ReLU; 1x1 layers
    between them."""
    net = Net(side, seed)
    net.grouped("pixels", 3, 3)
    net.norm("bn1")
    net.relu("relu1")
    net.conv("wide", 12, kernel=1)
    net.norm("bn2")
    net.relu("relu2")
    net.grouped_penni("bases", 12, 12)
    net.norm("bn3")
    net.relu("relu3")
    net.conv("point", 8, kernel=1)
    net.norm("bn4")
    net.relu("relu4")
    net.grouped("last", 8, 8, kernel=5, stride=2)
    net.norm("bn5")
    return net.head()


def bounded(side: int = 8, seed: int = 0) -> Graph[Layer]:
    """Bounds that a requantizer takes, and bounds behind pooling and of a map that another layer reads too."""
    net = Net(side, seed)
    x = net.clip("six", 0.0, 1.5, net.unit("a", 5, relu=False))
    y = net.clip("tanh", -1.0, 1.0, net.unit("b", 5, x, relu=False))
    net.penni("c.conv", 5, source=y)
    z = net.norm("c.norm")
    z = net.add("add", Add(net.spec(z)), z, x)
    net.add("max", MaxPool(net.spec(z), 2, 2), z)
    net.relu("max.relu")
    net.clip("max.clip", None, 2.0)
    pooled = net.add("mean", AvgPool(net.spec(net.unit("d", 4, relu=False)), 2, 2))
    first = net.unit("e", 3, net.clip("mean.clip", 0.125, 1.0, pooled))
    second = net.unit("f", 4, net.clip("mean.half", -0.5, None, pooled))
    net.concat("cat", net.clip("low", None, 0.75, first), second)
    return net.linear("linear", 5)


def windows(side: int = 8, seed: int = 0) -> Graph[Layer]:
    """Windows whose rows and columns, or sides, differ, on pixels whose zero is no integer 0 too: decomposed, dense,
    depthwise and pooling; padding as large as the kernel, strides larger than it, a kernel with zeros in between."""
    net = Net(side, seed)

    def normal(*shape: int) -> np.ndarray:
        return net.rng.standard_normal(shape).astype(np.float32)

    def unit(name: str, op: Layer) -> None:
        net.add(name, op)
        net.norm(f"{name}.norm")
        net.relu(f"{name}.relu")

    coefs = normal(6, 3, 3) * (net.rng.random((6, 3, 3)) < 0.6)
    unit("stem", PenniConv(net.spec("input"), normal(3, 1, 5), coefs, 1, (0, 3, 0, 1)))
    unit("own", GroupedConv(net.spec(net.last), normal(6, 1, 3, 2), (1, 2), (2, 0, 0, 1), None, 6))
    net.add("max", MaxPool(net.spec(net.last), (2, 3), 1, (0, 1, 1, 1)))
    unit("point", Conv(net.spec(net.last), normal(5, 6, 1, 1), 1, 1))
    dilated = normal(6, 5, 3, 3)
    dilated[:, :, 1] = dilated[:, :, :, 1] = 0
    unit("dilated", Conv(net.spec(net.last), dilated, (2, 1), 1))
    unit("apart", PenniConv(net.spec(net.last), normal(2, 2, 1), normal(6, 6, 2), (3, 2), (2, 0, 1, 0)))
    net.add("mean", AvgPool(net.spec(net.last), (2, 1), 1, (1, 0, 0, 0)))
    return net.linear("linear", 5)


def pixels(n: int, side: int, seed: int = 1) -> np.ndarray:
    """Smooth random images, uint8 (n, side, side, 3): quantization errors behave on them as on photographs."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(120, 60, (n, side // 2, side // 2, 3)).repeat(2, axis=1).repeat(2, axis=2)
    return np.clip(coarse + rng.normal(0, 12, (n, side, side, 3)), 0, 255).astype(np.uint8)


def forward(nodes: list[Node[Layer]], images: np.ndarray) -> dict[str, np.ndarray]:
    """Every float map of the nodes, by name."""
    values: dict[str, np.ndarray] = {}
    for node in nodes:
        reads = [images] if isinstance(node.op, Input) else [values[name] for name in node.inputs]
        values[node.name] = node.op.reference(*reads)
    return values
