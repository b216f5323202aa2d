"""Readers of images: both forms of CIFAR-10, `.npz`, and files that are broken or hostile."""

import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from penni_hls.data import DataError, load_cifar10, load_images

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def made(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images uint8 (N, 32, 32, 3) and labels uint8 (N,)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, count, dtype=np.uint8)


def planar(images: np.ndarray) -> np.ndarray:
    """uint8 (N, 3072): all red, all green, all blue, each row by row, written pixel by pixel."""
    out = np.empty((len(images), 3072), np.uint8)
    for channel in range(3):
        for row in range(32):
            out[:, channel * 1024 + row * 32 : channel * 1024 + row * 32 + 32] = images[:, row, :, channel]
    return out


def write_binary(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"".join(bytes([label]) + row.tobytes() for label, row in zip(labels, planar(images), strict=True))
    )


def write_pickle(path: Path, content: object, protocol: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol))


@pytest.mark.parametrize("folder", ["", "cifar-10-batches-bin"])
def test_binary(tmp_path, folder):
    images, labels = made(3, 0)
    write_binary(tmp_path / folder / "test_batch.bin", images, labels)
    got = load_cifar10(tmp_path)
    assert np.array_equal(got.images, images) and np.array_equal(got.labels, labels)
    assert got.images.dtype == got.labels.dtype == np.uint8


def test_train_takes_the_batches_present_in_order(tmp_path):
    parts = {n: made(2, n) for n in (5, 1, 3)}
    for n, part in parts.items():
        write_binary(tmp_path / f"data_batch_{n}.bin", *part)
    got = load_cifar10(tmp_path, "train")
    assert np.array_equal(got.images, np.concatenate([parts[n][0] for n in (1, 3, 5)]))
    assert np.array_equal(got.labels, np.concatenate([parts[n][1] for n in (1, 3, 5)]))


@pytest.mark.parametrize("folder", ["", "cifar-10-batches-py"])
@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickle(tmp_path, folder, protocol):
    images, labels = made(3, 1)
    content = {
        b"batch_label": b"testing",
        b"data": planar(images),
        b"labels": labels.tolist(),
        b"filenames": [b"a"] * 3,
    }
    write_pickle(tmp_path / folder / "test_batch", content, protocol)
    got = load_cifar10(tmp_path)
    assert np.array_equal(got.images, images) and np.array_equal(got.labels, labels)


def string(value: bytes) -> bytes:
    """What Python 2 writes for its strings."""
    length = len(value)
    return (b"U" + bytes([length]) if length < 256 else b"T" + struct.pack("<I", length)) + value


def test_pickle_of_python_2(tmp_path):
    """The published batches: every string, the pixels too, as a string of bytes."""
    images, labels = made(3, 6)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + string(b"b") + b"tR"
        b"(K\x01K\x03M\x00\x0c\x86cnumpy\ndtype\n(" + string(b"u1") + b"K\x00K\x01tR"
        b"(K\x03" + string(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + string(planar(images).tobytes()) + b"tb"
    )  # fmt: skip
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    entries = string(b"data") + array + string(b"labels") + numbers + string(b"batch_label") + string(b"testing batch")
    (tmp_path / "test_batch").write_bytes(b"\x80\x02}(" + entries + b"u.")
    got = load_cifar10(tmp_path)
    assert np.array_equal(got.images, images) and np.array_equal(got.labels, labels)


def test_pickle_keeps_array_layout_and_byte_order(tmp_path):
    images, labels = made(2, 2)
    content = {"data": np.asfortranarray(planar(images)), "labels": labels.astype(">i4")}
    write_pickle(tmp_path / "data_batch_1", content)
    got = load_cifar10(tmp_path, "train")
    assert np.array_equal(got.images, images) and np.array_equal(got.labels, labels)


class Calls:
    """Pickles to a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_hostile_pickle_runs_nothing(tmp_path):
    mark = tmp_path / "ran"
    calls = [
        (Calls(os.system, f"touch {mark}"), "system"),
        (Calls(open, str(mark), "w"), "open"),
        (Calls(eval, f"open({str(mark)!r}, 'w')"), "eval"),
        (Calls(getattr, "x", "upper"), "getattr"),
        (np.array([Calls(os.system, f"touch {mark}")], dtype=object), "system"),
    ]
    for attack, name in calls:
        for content in ({"data": attack, "labels": []}, attack):
            write_pickle(tmp_path / "test_batch", content)
            with pytest.raises(DataError, match=name):
                load_cifar10(tmp_path)
    assert not mark.exists()


ARRAY = (
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t"
    b"c_codecs\nencode\n(X\x01\x00\x00\x00bX\x06\x00\x00\x00latin1tRtR"
)
DTYPE = (
    b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1K\x00K\x01tR"
    b"(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b"not a pickle",
        b"\x80\x02K\x01.",  # an integer
        b"\x80\x02]r\xf0\xff\xff\xff.",  # a memo index of four thousand million
        b"\x80\x05\x96\x00\x00\x00\x00\x00\x10\x00\x00.",  # a byte array of 16 TiB
        b"\x80\x02\x8b\xff\xff\xff\x7f.",  # an integer of 2 GiB
        b"\x80\x02}(U\x04data" + ARRAY + b"(K\x01J\xff\xff\xff\x7fM\x00\x0c\x86" + DTYPE + b"\x89U\x00tbU\x06labels]u.",
        b"\x80\x02}(U\x04data" + ARRAY + b"U\x06labels]u.",
        b"\x80\x02}(U\x04data"
        + ARRAY
        + b"(K\x01K\x01K\x01\x86"
        + DTYPE
        + b"\x89X\x03\x00\x00\x00\xe2\x82\xactbU\x06labels]u.",
        b"\x80\x02}(U\x04data" + ARRAY + b"(K\x01K\x01K\x01\x86N\x89U\x01atbU\x06labels]u.",
        b"\x80\x02}(U\x04data"
        + ARRAY
        + b"(K\x01K\x01K\x01\x86"
        + DTYPE.replace(b"u1", b"O8")
        + b"\x89U\x01atbU\x06labels]u.",
        b"\x80\x02c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00rottR.",
        b"\x80\x02c_codecs\nencode\n}U\x04codeK\x01sb.",  # BUILD on a callable
        b"\x80\x02\x82\x01.",  # an extension code
        b"\x80\x02K\x01Q.",  # a persistent id
    ],
)
def test_broken_pickle_is_one_clear_error(tmp_path, pickled):
    (tmp_path / "test_batch").write_bytes(pickled)
    with pytest.raises(DataError, match="test_batch: ") as caught:
        load_cifar10(tmp_path)
    assert "\n" not in str(caught.value)


def test_wrong_content(tmp_path):
    images, labels = made(2, 3)
    good = {"data": planar(images), "labels": labels.tolist()}
    for change, words in (
        ({"data": good["data"][:, :3071]}, "3072"),
        ({"data": good["data"].astype(np.int16)}, "uint8"),
        ({"labels": [1]}, "2 integers"),
        ({"labels": [1, 10]}, "record 1 has label 10"),
        ({"labels": [-1, 1]}, "record 0 has label -1"),
        ({"labels": [1, "2"]}, "2 integers"),
        ({"data": good["data"][:0], "labels": []}, "no image"),
    ):
        write_pickle(tmp_path / "test_batch", good | change, 3)
        with pytest.raises(DataError, match=words):
            load_cifar10(tmp_path)


def test_broken_binary(tmp_path):
    path = tmp_path / "test_batch.bin"
    for content, words in (
        (b"", "0 bytes"),
        (bytes(3072), "3072 bytes"),
        (bytes(3073) + b"\x0a" + bytes(3072), "record 1 has label 10"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            load_cifar10(tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="no CIFAR-10 train batch"):
        load_cifar10(tmp_path, "train")
    with pytest.raises(DataError, match="no CIFAR-10 test batch"):
        load_cifar10(tmp_path / "missing")
    with pytest.raises(DataError, match="split"):
        load_cifar10(tmp_path, "validation")


def test_npz(tmp_path):
    images, labels = made(4, 4)
    path = tmp_path / "x.npz"
    np.savez(path, images=images, labels=labels.astype(np.int64))
    got = load_images(path)
    assert np.array_equal(got.images, images) and np.array_equal(got.labels, labels) and got.labels.dtype == np.uint8
    np.savez(path, images)
    got = load_images(path)
    assert np.array_equal(got.images, images) and got.labels is None


def test_broken_npz(tmp_path):
    images, labels = made(2, 5)
    path = tmp_path / "x.npz"
    for arrays, words in (
        ({"images": images.astype(np.float32)}, "float32"),
        ({"images": images[0]}, r"\(32, 32, 3\)"),
        ({"images": images[:0]}, "N >= 1"),
        ({"a": images, "b": images}, '"images"'),
        ({"images": images, "labels": labels[:1]}, "labels"),
        ({"images": images, "labels": np.array([1, 256])}, "256"),
        ({"images": np.array([Calls(os.system, "true")], dtype=object)}, "plain arrays"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(DataError, match=words):
            load_images(path)
    np.save(tmp_path / "x.npy", images)
    with pytest.raises(DataError, match="single array"):
        load_images(tmp_path / "x.npy")
    good = tmp_path / "good.npz"
    np.savez(good, images=images)
    for content in (b"", b"nothing", good.read_bytes()[:100], good.read_bytes()[:-30]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"x\.npz"):
            load_images(path)
    with pytest.raises(DataError, match=r"absent\.npz"):
        load_images(tmp_path / "absent.npz")


def test_npz_that_declares_an_absurd_shape(tmp_path):
    import zipfile

    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000, 1000, 1000, 3), }".ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(16))
    with pytest.raises(DataError, match=r"x\.npz"):
        load_images(tmp_path / "x.npz")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="../shared/data is not here")
def test_the_real_set():
    test, train = load_cifar10(SHARED), load_cifar10(SHARED, "train")
    assert test.images.shape == train.images.shape == (10000, 32, 32, 3)
    assert np.bincount(test.labels).tolist() == [1000] * 10


def test_damaged_npz_is_always_one_clear_error(tmp_path):
    """One or a few bytes changed anywhere: the file loads all the same or is refused, nothing else."""
    good, bad = tmp_path / "good.npz", tmp_path / "bad.npz"
    np.savez_compressed(good, images=np.arange(384, dtype=np.uint8).reshape(2, 8, 8, 3))
    data, rng, refused = good.read_bytes(), np.random.default_rng(0), 0
    for _ in range(400):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            damaged[at] = rng.integers(256)
        bad.write_bytes(damaged)
        try:
            load_images(bad)
        except DataError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 200


def test_npz_that_unpacks_to_too_much(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, images=np.zeros((2, 8, 8, 3), np.uint8))
    monkeypatch.setattr("penni_hls.data.MAX_NPZ_BYTES", 300)
    with pytest.raises(DataError, match=r"x\.npz: unpacks to more than"):
        load_images(path)
