"""The driver of a project, run against a PYNQ whose DMA computes with the reference; results of any shape."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from penni_hls.backends.board.driver import emit_driver
from penni_hls.backends.board.readme import emit_readme
from penni_hls.backends.design import Design
from penni_hls.data import Images
from penni_hls.errors import UsageError
from penni_hls.ir import interpreter
from penni_hls.ir.fixed import QType
from penni_hls.ir.graph import Graph, Node, TensorSpec, verify
from penni_hls.ir.ops import Input
from penni_hls.recipes.evaluate import evaluate
from penni_hls.schedule import plan
from penni_hls.target.boards import load

from ...networks import NetworkBuilder, random_resnet

SCALE = 0.125
IMAGES = np.random.default_rng(1).integers(0, 256, (5, 6, 8, 3), np.uint8)


def map_network() -> Graph:
    """Its result is a map (6, 8, 2)."""
    net = NetworkBuilder(np.random.default_rng(3), 2, 0.5)
    net.add("input", Input(TensorSpec((6, 8, 3), QType(8, False))))
    net.mac("head", net.conv("conv1", "input", 4), 2, QType(16, True))
    return verify(Graph(tuple(Node(node.name, node.op, node.inputs) for node in net.nodes)))


def vector_network() -> Graph:
    return random_resnet(blocks=1, widths=(4,), size=8, classes=7)


class FakeDma:
    """Takes the pixels of a transfer, gives one result per receive; a transfer is refused where it is too long."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.waiting = graph, []
        self.sendchannel = types.SimpleNamespace(transfer=self.send, wait=lambda: None)
        self.recvchannel = types.SimpleNamespace(transfer=self.receive, wait=lambda: None)

    def send(self, pixels: np.ndarray, nbytes: int) -> None:
        assert nbytes < 1 << 26 and not self.waiting
        spec = self.graph.input.op.out_spec
        images = np.frombuffer(pixels.tobytes()[:nbytes], np.uint8).reshape(-1, *spec.shape)
        self.waiting = list(interpreter.output(self.graph, images).values)

    def receive(self, buffer: np.ndarray) -> None:
        words = self.waiting.pop(0).ravel()  # in the order of the stream
        assert buffer.dtype == np.int32 and buffer.size == words.size
        buffer.reshape(-1)[:] = words


@contextmanager
def allocated(shape, dtype) -> Iterator[np.ndarray]:
    yield np.zeros(shape, dtype)


def driver(graph: Graph, monkeypatch) -> types.ModuleType:
    """The driver that is generated for `graph`, as a module."""
    fake = types.ModuleType("pynq")
    fake.Overlay = lambda bitfile: types.SimpleNamespace(dma=FakeDma(graph))
    fake.allocate = lambda shape, dtype: allocated(shape, dtype)
    monkeypatch.setitem(sys.modules, "pynq", fake)
    module = types.ModuleType("penni")
    exec(compile(emit_driver(design(graph))["driver/penni.py"], "penni.py", "exec"), module.__dict__)
    return module


def design(graph: Graph) -> Design:
    return Design("net", "a network", plan(graph, load("pynq-z2")), SCALE, ())


def test_a_map(monkeypatch) -> None:
    graph = map_network()
    accelerator = driver(graph, monkeypatch).Accelerator()
    expected = interpreter.output(graph, IMAGES).values
    assert expected.shape == (5, 6, 8, 2) and len(np.unique(expected)) > 50
    np.testing.assert_array_equal(accelerator.logits(IMAGES, batch=2), expected)
    predicted = accelerator.predict(IMAGES)
    assert predicted.dtype == np.float32
    np.testing.assert_array_equal(predicted, expected * np.float32(SCALE))
    for refused in (accelerator.topk, accelerator.classify):
        with pytest.raises(ValueError, match=r"^the result is a map \(6, 8, 2\), not a value per class; use predict$"):
            refused(IMAGES)


def test_a_vector(monkeypatch) -> None:
    graph = vector_network()
    images = np.random.default_rng(2).integers(0, 256, (70, 8, 8, 3), np.uint8)
    accelerator = driver(graph, monkeypatch).Accelerator()
    expected = interpreter.output(graph, images).values.reshape(70, 7).astype(np.int64)
    predicted = accelerator.predict(images)
    assert predicted.shape == (70, 7) and predicted.dtype == np.float32
    np.testing.assert_array_equal(predicted, expected * SCALE)
    np.testing.assert_array_equal(accelerator.classify(images), expected.argmax(axis=1))
    best = accelerator.topk(images, 3)
    np.testing.assert_array_equal(np.take_along_axis(expected, best, 1), -np.sort(-expected, axis=1)[:, :3])
    with pytest.raises(ValueError, match="images are int64"):
        accelerator.predict(images.astype(np.int64))


def test_transfers_stay_below_what_the_engine_counts(monkeypatch) -> None:
    """26 bits of length: of large images fewer go at once. The fake refuses a longer transfer."""
    module = driver(vector_network(), monkeypatch)
    monkeypatch.setattr(module, "MOST_BYTES", 3 * 8 * 8 * 3 + 5)
    accelerator, sent = module.Accelerator(), []
    send = accelerator._dma.sendchannel.transfer
    accelerator._dma.sendchannel.transfer = lambda pixels, nbytes: (sent.append(nbytes), send(pixels, nbytes))
    accelerator.logits(np.zeros((7, 8, 8, 3), np.uint8))
    assert sent == [576, 576, 192]


@pytest.mark.parametrize("network", [map_network, vector_network])
def test_from_a_shell(network, tmp_path: Path, monkeypatch, capsys) -> None:
    graph = network()
    module, shape = driver(graph, monkeypatch), graph.input.op.out_spec.shape
    images = np.random.default_rng(2).integers(0, 256, (3, *shape), np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    module.main([str(tmp_path / "images.npz"), str(tmp_path / "results.npz")])
    with np.load(tmp_path / "results.npz") as archive:
        np.testing.assert_array_equal(archive["results"], module.Accelerator().predict(images))
    if graph.output.op.out_spec.pixels == 1:
        module.main([str(tmp_path / "images.npz")])
        assert list(map(int, capsys.readouterr().out.split())) == module.Accelerator().classify(images).tolist()
    else:
        with pytest.raises(SystemExit, match=r"^usage: penni.py IMAGES.npz RESULTS.npz  \(an array"):
            module.main([str(tmp_path / "images.npz")])


def test_the_readme_says_what_comes_out() -> None:
    vector, image = (emit_readme(design(graph()))["README.md"] for graph in (vector_network, map_network))
    assert "- Output: 7 logits (int16" in vector and "penni-hls evaluate" in vector
    assert "- Output: a 6x8x2 map, rows from the top, channels within a pixel, one value per beat (int16" in image
    assert "penni-hls evaluate" not in image and "penni.py images.npz results.npz" in image


def test_evaluate_refuses_a_map() -> None:
    project = types.SimpleNamespace(graph=map_network())
    with pytest.raises(UsageError, match="the result of this network is a 6x8x2 int16 map$"):
        evaluate(project, Images(IMAGES, np.zeros(5, np.uint8)))
