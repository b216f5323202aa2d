"""The driver of a project on a board in Python (fake.py): results, deadlines, interrupts, faults; results of any shape."""

from __future__ import annotations

import itertools
import types
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penni_hls.backends.board.driver import VALIDATION_IMAGES, emit_driver
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
from .fake import FakeBoard, Faults, driver

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


def design(graph: Graph) -> Design:
    return Design("net", "a network", plan(graph, load("pynq-z2")), SCALE, ())


class Rig:
    """A network's driver, as a module, and boards that hold the network."""

    def __init__(self, network: Callable[[], Graph], folder: Path) -> None:
        self.design = design(network())
        self.graph, self.folder = self.design.schedule.graph, folder
        for path, content in emit_driver(self.design).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
        self.penni = driver(folder / "driver")

    def board(self, **changes) -> FakeBoard:
        return FakeBoard(self.graph, self.design.digest, self.design.schedule.cycles_per_image, **changes)

    def expected(self, images: np.ndarray) -> np.ndarray:
        values = interpreter.output(self.graph, images).values
        return values.reshape(len(images), *self.penni.Model.read(self.folder / "driver" / "penni.json").result)

    def images(self, count: int) -> np.ndarray:
        shape = self.graph.input.op.out_spec.shape
        return np.random.default_rng(count).integers(0, 256, (count, *shape), np.uint8)


@pytest.fixture(scope="module")
def vector(tmp_path_factory) -> Rig:
    return Rig(vector_network, tmp_path_factory.mktemp("vector"))


@pytest.fixture(scope="module")
def map_(tmp_path_factory) -> Rig:
    return Rig(map_network, tmp_path_factory.mktemp("map"))


def test_a_map(map_: Rig) -> None:
    expected = interpreter.output(map_.graph, IMAGES).values
    assert expected.shape == (5, 6, 8, 2) and len(np.unique(expected)) > 50
    with map_.penni.Accelerator(board=map_.board()) as accelerator:
        np.testing.assert_array_equal(accelerator.logits(IMAGES, batch=2), expected)
        predicted = accelerator.predict(IMAGES)
        assert predicted.dtype == np.float32
        np.testing.assert_array_equal(predicted, expected * np.float32(SCALE))
        for refused in (accelerator.topk, accelerator.classify):
            with pytest.raises(
                ValueError, match=r"^the result is a map \(6, 8, 2\), not a value per class; use predict$"
            ):
                refused(IMAGES)


def test_a_vector(vector: Rig) -> None:
    images = vector.images(70)
    expected = vector.expected(images)
    accelerator = vector.penni.Accelerator(board=vector.board())
    predicted = accelerator.predict(images)
    assert predicted.shape == (70, 7) and predicted.dtype == np.float32
    np.testing.assert_array_equal(predicted, expected * SCALE)
    np.testing.assert_array_equal(accelerator.classify(images), expected.argmax(axis=1))
    assert accelerator.logits(images[:0]).shape == (0, 7)
    with pytest.raises(ValueError, match="images are int64"):
        accelerator.predict(images.astype(np.int64))
    with pytest.raises(ValueError, match="a batch of 0 images"):
        accelerator.predict(images, batch=0)


def test_the_most_likely_classes_with_their_labels(vector: Rig) -> None:
    images, labels = vector.images(9), [f"label {i}" for i in range(7)]
    expected = vector.expected(images)
    accelerator = vector.penni.Accelerator(board=vector.board())
    named, numbered = accelerator.topk(images, labels, 3), accelerator.topk(images, k=3)
    for row, names, numbers in zip(expected.astype(int), named, numbered):
        order = sorted(range(7), key=lambda i, row=row: (-row[i], i))[:3]
        assert names == [(f"label {i}", row[i] * SCALE) for i in order]
        assert numbers == [(i, row[i] * SCALE) for i in order]
    with pytest.raises(ValueError, match="^6 labels for 7 classes$"):
        accelerator.topk(images, labels[1:])


@pytest.mark.parametrize(("images", "batch", "sends"), [(70, 64, [64, 6]), (4, 2, [2, 2]), (3, 64, [3]), (1, 1, [1])])
def test_one_send_and_one_receive_for_each_batch(vector: Rig, images: int, batch: int, sends: list[int]) -> None:
    board = vector.board()
    pictures = vector.images(images)
    found = vector.penni.Accelerator(board=board).logits(pictures, batch)
    np.testing.assert_array_equal(found, vector.expected(pictures))
    pixels, results = 8 * 8 * 3, 7 * 4
    assert [n for name, n in board.transfers if name == "send"] == [n * pixels for n in sends]
    assert [n for name, n in board.transfers if name == "receive"] == [n * results for n in sends]


def test_transfers_stay_below_what_the_engine_counts(vector: Rig, monkeypatch) -> None:
    """26 bits of length: of large images fewer go at once."""
    monkeypatch.setattr(vector.penni, "MOST_BYTES", 3 * 8 * 8 * 3 + 5)
    board = vector.board()
    vector.penni.Accelerator(board=board).logits(np.zeros((7, 8, 8, 3), np.uint8))
    assert [n for name, n in board.transfers if name == "send"] == [576, 576, 192]


def test_batches_keep_the_accelerator_at_work(vector: Rig) -> None:
    """The next batch is sent while one is computed: little time is lost between them. One after the other loses more."""
    cycles = 5_000  # of an image: such a batch takes 2.6 ms, a register access 1 us
    board, model = vector.board(), vector.penni.Model.read(vector.folder / "driver" / "penni.json")
    board.cycles_per_image = cycles
    accelerator = vector.penni.Accelerator(board=board, model=replace(model, cycles_per_image=cycles))
    measured = accelerator.throughput_test(images=512, batch=64)
    assert measured.images == 512 == measured.counters.images_out
    assert cycles <= measured.cycles_per_image < 1.01 * cycles
    assert measured.clock_mhz == pytest.approx(125, rel=1e-3)
    assert measured.images_per_second == pytest.approx(125e6 / measured.cycles_per_image, rel=1e-3)
    assert measured.predicted_rate == pytest.approx(125e6 / cycles, rel=1e-3)
    assert "512 images in" in str(measured) and f"predicted {measured.predicted_rate:,.1f} images/s" in str(measured)
    before, start = accelerator.counters(), board.now()
    for _ in range(8):
        accelerator.logits(vector.images(64))
    alone = (accelerator.counters() - before).cycles / 512
    assert alone > measured.cycles_per_image and board.now() > start


def test_a_stream(vector: Rig) -> None:
    images = vector.images(11)
    expected = vector.expected(images) * np.float32(SCALE)
    accelerator = vector.penni.Accelerator(board=vector.board())
    for batch in (1, 4, 64):
        np.testing.assert_array_equal(list(accelerator.stream(iter(images), batch)), expected)
    assert list(accelerator.stream(iter([]))) == []
    fetched = []
    endless = (fetched.append(i) or images[i % 11] for i in itertools.count())
    results = accelerator.stream(endless)
    np.testing.assert_array_equal([next(results) for _ in range(20)], np.concatenate((expected, expected[:9])))
    assert len(fetched) == 21  # one ahead
    results.close()
    np.testing.assert_array_equal(accelerator.predict(images), expected)


def test_a_new_call_ends_an_open_stream(vector: Rig) -> None:
    images = vector.images(6)
    accelerator = vector.penni.Accelerator(board=vector.board())
    results = accelerator.stream(iter(images))
    next(results)
    assert not accelerator._board.at_rest
    np.testing.assert_array_equal(accelerator.logits(images), vector.expected(images))
    with pytest.raises(vector.penni.AcceleratorError, match="another call has ended this stream"):
        next(results)
    np.testing.assert_array_equal(accelerator.logits(images), vector.expected(images))


def test_an_error_of_the_source_ends_a_stream(vector: Rig) -> None:
    images = vector.images(3)

    def source():
        yield from images
        raise OSError("the camera is gone")

    accelerator = vector.penni.Accelerator(board=vector.board())
    with pytest.raises(OSError, match="camera"):
        list(accelerator.stream(source()))
    np.testing.assert_array_equal(accelerator.logits(images), vector.expected(images))


def test_ctrl_c_at_every_register_access(vector: Rig) -> None:
    """Wherever it comes, also during the reset that another one has caused, the next call works; no memory is freed and no
    transfer is begun under an active engine (the fake and the engine's registers assert that)."""
    images = vector.images(5)
    expected = vector.expected(images)
    board = vector.board()
    accelerator = vector.penni.Accelerator(board=board)
    start = board.accesses
    accelerator.logits(images, 2)
    accesses = board.accesses - start
    assert accesses > 40
    for at in range(accesses):
        board.faults.interrupt = board.accesses + at
        with pytest.raises(KeyboardInterrupt):
            accelerator.logits(images, 2)
        assert board.at_rest
        for again in range(0, 6, 2):  # within the reset of the next call, or within that call
            board.faults.interrupt = board.accesses + again
            with pytest.raises(KeyboardInterrupt):
                accelerator.logits(images, 2)
        board.faults.interrupt = None
        np.testing.assert_array_equal(accelerator.logits(images, 2), expected)
    accelerator.close()
    assert not board.memory


def test_a_dma_engine_that_stops(vector: Rig) -> None:
    """The time-out says how far it came and who waits for whom; the next call works."""
    images, board = vector.images(8), vector.board()
    accelerator = vector.penni.Accelerator(board=board, timeout=0.02)
    accelerator.logits(images)
    cases = {
        "stop_send": ("3 images in, 3 out", "it waits for pixels that the DMA engine does not send"),
        "stop_receive": ("3 out", "a result waits, and the DMA engine does not take it"),
    }
    for fault, texts in cases.items():
        setattr(board.faults, fault, board.given + 3)
        with pytest.raises(vector.penni.AcceleratorTimeout) as error:
            accelerator.logits(images, 4)
        message = str(error.value)
        assert all(text in message for text in texts), message
        assert "within 0.02 s" in message and "DMA status: send 0x" in message and "\n" not in message
        assert isinstance(error.value, TimeoutError) and board.at_rest
        board.faults = Faults()
        np.testing.assert_array_equal(accelerator.logits(images, 4), vector.expected(images))


def test_a_clock_that_stands_still(vector: Rig) -> None:
    board = vector.board()
    accelerator = vector.penni.Accelerator(board=board, timeout=0.01)
    board.faults.clock = False
    with pytest.raises(vector.penni.AcceleratorTimeout, match="its clock stands still"):
        accelerator.logits(vector.images(2))


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"send_error": 0x20}, "the DMA engine has stopped: slave error"),
        ({"receive_error": 0x40}, "the DMA engine has stopped: decode error"),
        ({"packet": 2}, "56 bytes of results for 4 images, not 112"),
    ],
)
def test_what_the_engine_or_the_accelerator_does_wrong(vector: Rig, fault: dict, text: str) -> None:
    images, board = vector.images(8), vector.board()
    accelerator = vector.penni.Accelerator(board=board)
    board.faults = Faults(**fault)
    with pytest.raises(vector.penni.BoardError, match=text):
        accelerator.logits(images, 4)
    board.faults = Faults()
    np.testing.assert_array_equal(accelerator.logits(images, 4), vector.expected(images))


def test_an_engine_that_stays_in_reset_keeps_its_memory(vector: Rig) -> None:
    images, board = vector.images(4), vector.board()
    accelerator = vector.penni.Accelerator(board=board, timeout=0.01)
    board.faults = Faults(stop_receive=0, stuck=True)
    with pytest.raises(vector.penni.AcceleratorTimeout):
        accelerator.logits(images)
    stuck = "does not come out of its reset; load the bitstream again"
    with pytest.raises(vector.penni.BoardError, match=stuck):
        accelerator.logits(images)
    with pytest.raises(vector.penni.BoardError, match=stuck):
        accelerator.close()
    assert len(board.memory) == 4
    del accelerator
    assert len(board.memory) == 4


def test_close_frees_the_buffers_and_a_call_allocates_anew(vector: Rig) -> None:
    images, board = vector.images(4), vector.board()
    with vector.penni.Accelerator(board=board) as accelerator:
        accelerator.logits(images, 2)
        small = set(board.memory)
        accelerator.logits(images, 1)
        assert set(board.memory) == small and len(small) == 4
        accelerator.logits(images, 4)
        assert len(board.memory) == 4 and not small & set(board.memory)
        stream = accelerator.stream(iter(images))
        next(stream)
    assert not board.memory
    with pytest.raises(vector.penni.AcceleratorError, match="another call has ended this stream"):
        next(stream)
    np.testing.assert_array_equal(accelerator.logits(images), vector.expected(images))
    del accelerator, stream
    assert not board.memory


def test_another_bitstream_is_refused(vector: Rig) -> None:
    other = vector.board()
    other.digest = f"{int(other.digest, 16) ^ 1:032x}"
    with pytest.raises(
        vector.penni.AcceleratorError,
        match=rf"holds another network \(digest {other.digest}\) than this folder's net \(digest {vector.design.digest}\)",
    ):
        vector.penni.Accelerator(board=other)
    with pytest.raises(vector.penni.AcceleratorError, match=r"no accelerator of penni-hls answers \(.* 0x00000000\)"):
        vector.penni.Accelerator(board=vector.board(magic=0))
    with pytest.raises(vector.penni.AcceleratorError, match="registers of version 2, this driver knows 1"):
        vector.penni.Accelerator(board=vector.board(version=2 << 16))


@pytest.mark.parametrize(
    ("made_for", "runs_at"), [(125, 125), (137, 125), (142.9, 1000 / 7), (0, 125), (1000 / 3, 1000 / 3)]
)
def test_the_clock(vector: Rig, made_for: float, runs_at: float) -> None:
    """As the bitstream says (0: as the project says); where the board has not got it, the nearest one below."""
    accelerator = vector.penni.Accelerator(board=vector.board(clock_hz=round(made_for * 1e6)))
    assert accelerator.clock_mhz == pytest.approx(runs_at)


def test_another_crystal_is_told(vector: Rig) -> None:
    """PYNQ computes with 50 MHz; where the crystal has 33.3 the clock is slower than it reads back."""
    with pytest.warns(UserWarning, match=r"clock is 83\.3 MHz by its own count, but 125\.0 MHz are read back"):
        vector.penni.Accelerator(board=vector.board(crystal=2 / 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vector.penni.Accelerator(board=vector.board())


def test_counters_of_operators(vector: Rig) -> None:
    """By name, in the order of model.json's layers; none where the project has none."""
    assert vector.penni.Accelerator(board=vector.board()).operator_counters() == {}
    names = [node.name for node in vector.design.schedule.instances]
    counts = tuple((100 + i, 2**32 - 1 - i) for i in range(len(names)))
    accelerator = vector.penni.Accelerator(board=vector.board(operators=counts))
    assert accelerator.operator_counters() == dict(zip(names, counts)) and len(names) > 4


def test_validation(vector: Rig, map_: Rig) -> None:
    for made, results in ((vector, 56), (map_, 768)):
        text = made.penni.Accelerator(board=made.board()).validate()
        assert text == f"{VALIDATION_IMAGES} images, {results} results: all as expected"


def test_validation_finds_one_wrong_result(vector: Rig, monkeypatch) -> None:
    accelerator = vector.penni.Accelerator(board=vector.board())
    logits = accelerator.logits

    def wrong(images):
        found = logits(images)
        found[3, 2] += 1
        return found

    monkeypatch.setattr(accelerator, "logits", wrong)
    with pytest.raises(
        vector.penni.AcceleratorError, match=r"^1 of 56 results differ, the first is result \(2,\) of image 3: "
    ):
        accelerator.validate()


@pytest.mark.parametrize("name", ["vector", "map_"])
def test_from_a_shell(name: str, request, tmp_path: Path, monkeypatch, capsys) -> None:
    made: Rig = request.getfixturevalue(name)
    board = made.board()
    monkeypatch.setattr(made.penni, "PynqBoard", lambda bitfile: board)
    images = made.images(3)
    np.savez(tmp_path / "images.npz", images=images)
    pictures, results = str(tmp_path / "images.npz"), str(tmp_path / "results.npz")
    made.penni.main([pictures, results])
    with np.load(results) as archive:
        np.testing.assert_array_equal(archive["results"], made.expected(images) * np.float32(SCALE))
    made.penni.main(["--validate", "--throughput", "64"])
    told = capsys.readouterr()
    assert "all as expected" in told.out and "64 images in" in told.out and "net at 125.00 MHz" in told.err
    if name == "vector":
        made.penni.main([pictures])
        assert list(map(int, capsys.readouterr().out.split())) == made.expected(images).argmax(axis=1).tolist()
    else:
        with pytest.raises(SystemExit, match=r"^penni.py: the result is a map \(6, 8, 2\)"):
            made.penni.main([pictures])
    with pytest.raises(SystemExit, match="^penni.py: .*none.npz"):
        made.penni.main([str(tmp_path / "none.npz"), results])
    assert not board.memory


def test_the_same_design_gives_the_same_files() -> None:
    first, second = (emit_driver(design(vector_network())) for _ in range(2))
    assert first == second
    assert emit_driver(replace(design(vector_network()), logit_scale=0.5)) != first


def test_the_readme_says_what_comes_out() -> None:
    vector, image = (emit_readme(design(graph()))["README.md"] for graph in (vector_network, map_network))
    assert "- Output: 7 logits (int16" in vector and "penni-hls evaluate" in vector
    assert "- Output: a 6x8x2 map, rows from the top, channels within a pixel, one value per beat (int16" in image
    assert "penni-hls evaluate" not in image and "penni.py images.npz results.npz" in image


def test_evaluate_refuses_a_map() -> None:
    project = types.SimpleNamespace(graph=map_network())
    with pytest.raises(UsageError, match="the result of this network is a 6x8x2 int16 map$"):
        evaluate(project, Images(IMAGES, np.zeros(5, np.uint8)))
