"""Networks, images and comparisons for the tests of this folder."""

import numpy as np
import torch

from penni_hls.accuracy import predict_float
from penni_hls.data import Images
from penni_hls.ir import interpreter
from penni_hls.ir.fixed import QType, Requant
from penni_hls.ir.graph import Graph, Node, TensorSpec, verify
from penni_hls.ir.ops import BasisConv, Input, MaxPool, SparseMac
from penni_hls.ir.quantized import Quantized
from penni_hls.passes.unread_bases import with_all_bases
from penni_hls.qat.network import IntegerNetwork
from penni_hls.qat.train import QatConfig, prepare, qat
from penni_hls.training.batches import Batches
from penni_hls.training.train import TrainConfig

from ..passes import affine_nets
from ..passes.nets import (
    MEAN,
    STD,
    averages,
    bounded,
    dense_net,
    depthwise,
    grouped,
    pixels,
    resnet,
    unet,
    vgg,
    windows,
)

U8, S8 = QType(8, False), QType(8, True)
FLOAT_NETS = {
    "option A": lambda: resnet(),
    "option B": lambda: resnet(option_b=True),
    "dense": lambda: resnet(option_b=True, dense=True),
    "VGG": lambda: vgg(),
    "concatenations": lambda: dense_net(),
    "upsampling": lambda: unet(),
    "grouped": lambda: grouped(),
    "averages": lambda: averages(),
    "depthwise": lambda: depthwise(),
    "bounded": lambda: bounded(),
    **affine_nets.NETS,
    "windows": lambda: windows(),
}
TRAIN = TrainConfig(epochs=0, lr=0.03, weight_decay=0.0, seed=3)


def network_of(graph: Graph) -> IntegerNetwork:
    return IntegerNetwork(Quantized(graph, 0.01, ()), MEAN, STD)


def differing(network: IntegerNetwork, graph: Graph, images: np.ndarray) -> list[str]:
    """The operators whose integers in the module, which computes all bases, are not those of the reference on `graph`."""
    with torch.no_grad():
        mine = network.maps(torch.from_numpy(images).permute(0, 3, 1, 2))
    wanted = interpreter.run(with_all_bases(graph), images)
    assert set(mine) == set(wanted)
    wrong = []
    for name, tensor in wanted.items():
        values = tensor.values.reshape(*tensor.values.shape[:3], -1)
        have = mine[name].permute(0, 2, 3, 1).numpy()
        if have.shape != values.shape or not np.array_equal(have, values):
            wrong.append(name)
    return wrong


def trained(graph, bits: int, epochs: int, **options) -> tuple[IntegerNetwork, Quantized]:
    """A float graph's integer network before training, and what `qat` makes of it."""
    config = QatConfig(coef_bits=bits, epochs=epochs, train=TRAIN)
    after = qat(graph, loader(graph), config=config, calibration=pixels(32, 8), **options)
    return prepare(graph, config, pixels(32, 8)), after


def labelled(graph, count: int, seed: int = 5) -> Images:
    """Images with the labels that the float network gives them."""
    images = pixels(count, 8, seed)
    return Images(images, predict_float(graph, images).argmax(1).astype(np.uint8))


def loader(graph) -> Batches:
    return Batches(labelled(graph, 48), 16, train=True, mean=MEAN, std=STD)


def everything(seed: int) -> Graph:
    """Odd sizes and strides, pads with a value, several shifts (0 among them), a max pool with pad, a 1x1 layer, a
    dense layer's unit kernels, a flattened layer, rows without coefficients."""
    rng = np.random.default_rng(seed)
    nodes = [Node("input", Input(TensorSpec((9, 7, 3), U8)))]

    def add(name, op):
        nodes.append(Node(name, op, (nodes[-1].name,)))
        return op.out_spec

    def mac(name, spec, channels, top, out, shift, flatten=False):
        depth = int(np.prod(spec.shape if flatten else spec.shape[2:]))
        coefs = rng.integers(-top, top + 1, (channels, depth))
        coefs[0] = 0
        multiplier, bias = rng.integers(0, 65536, channels), rng.integers(-(1 << 24), 1 << 24, channels)
        requant = Requant(multiplier, bias, shift, out)
        coef_type = QType(2 if top == 1 else top.bit_length() + 1, True)
        return add(name, SparseMac(spec, coefs, coef_type, requant, None, flatten))

    kernels = rng.integers(-127, 128, (4, 3, 3))
    z = add("a.basis", BasisConv(nodes[0].op.spec, kernels, (9, 8, 7, 1), S8, 2, 1, rng.integers(0, 256, 3)))
    first = mac("a.mac", z, 6, 7, S8, 22)
    second = mac("b.mac", first, 5, 1, U8, 16)
    pooled = add("pool", MaxPool(second, 3, 2, 1))
    unit = np.eye(4, dtype=np.int64).reshape(4, 2, 2)
    z = add("c.basis", BasisConv(pooled, unit, (0,) * 4, U8, 1, 1, np.zeros(5, np.int64)))
    third = mac("c.mac", z, 4, 127, S8, 24)
    mac("d.mac", third, 3, 127, QType(16, True), 20, flatten=True)
    return verify(Graph(tuple(nodes)))
