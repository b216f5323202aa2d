"""Images from disk: CIFAR-10 (binary or Python batches) and plain `.npz` files. No code of a file is ever run."""

from __future__ import annotations

import math
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import DataError
from .pickles import Budget, Name, PickleError, Reader, Record, unpickle

SIDE = 32
PIXELS = 3 * SIDE * SIDE
RECORD = 1 + PIXELS
CLASSES = 10
MAX_BATCH_BYTES = 1 << 30
MAX_NPZ_BYTES = 4 << 30  # unpacked; far more than calibration or simulation needs
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)  # of the pixels 0..1, as most CIFAR-10 networks were trained with
CIFAR10_STD = (0.2023, 0.1994, 0.2010)
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# Names in a pickled array, from before and since numpy 2: protocols 0 to 4, then 5.
NUMPY_NAMES = frozenset(
    {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}
    | {(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")}
    | {(f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")}
)


@dataclass(frozen=True, eq=False)
class Images:
    """images: uint8 (N, H, W, C); labels: uint8 (N,), or None where there are none."""

    images: np.ndarray
    labels: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise DataError(f"images must be uint8 (N, H, W, C), not {self.images.dtype} {self.images.shape}")
        if self.labels is not None and (self.labels.dtype != np.uint8 or self.labels.shape != self.images.shape[:1]):
            raise DataError(f"labels must be uint8 ({len(self.images)},), not {self.labels.dtype} {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.images)


def load_cifar10(directory: str | Path, split: str = "test") -> Images:
    """Read the "test" or "train" split of CIFAR-10: images uint8 (N, 32, 32, 3), labels uint8 (N,).

    Takes the binary form (`*.bin`) and the Python-batch form, in `directory` or one folder below under their usual
    names. "train" takes those of the five batches that are present, in order.
    """
    if split not in ("test", "train"):
        raise DataError(f'split "{split}" is not known; use "test" or "train"')
    directory = Path(directory)
    names = ["test_batch"] if split == "test" else [f"data_batch_{n}" for n in range(1, 6)]
    places = (
        (directory, ".bin", _read_binary),
        (directory / "cifar-10-batches-bin", ".bin", _read_binary),
        (directory, "", _read_pickle),
        (directory / "cifar-10-batches-py", "", _read_pickle),
    )
    for folder, suffix, read in places:
        paths = [path for path in (folder / f"{name}{suffix}" for name in names) if path.is_file()]
        if paths:
            batches = [read(path) for path in paths]
            return Images(np.concatenate([b.images for b in batches]), np.concatenate([b.labels for b in batches]))
    raise DataError(
        f"{directory}: no CIFAR-10 {split} batch ({names[0]}.bin or {names[0]}) here or in cifar-10-batches-bin/ or "
        "cifar-10-batches-py/; give the folder where the CIFAR-10 archive was unpacked"
    )


def load_images(path: str | Path) -> Images:
    """Read an `.npz`: key `images` (or the only array), uint8 (N, H, W, C), and key `labels` if there is one."""
    path = Path(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as members:
                if sum(member.file_size for member in members.infolist()) > MAX_NPZ_BYTES:
                    raise DataError(f"{path}: unpacks to more than {MAX_NPZ_BYTES >> 30} GiB; save fewer images in it")
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise DataError(f"{path}: a single array, not an .npz; save it with numpy.savez(path, images=...)")
        with loaded as archive:
            key = "images" if "images" in archive.files else archive.files[0] if len(archive.files) == 1 else None
            if key is None:
                raise DataError(f'{path}: no array "images" among {archive.files}; save them under that name')
            images = archive[key]
            labels = archive["labels"] if "labels" in archive.files and key != "labels" else None
    except DataError:
        raise
    except Exception as error:  # a broken archive can raise nearly anything
        raise DataError(
            f"{path}: not a readable .npz of plain arrays ({_line(error)}); write it with numpy.savez"
        ) from error
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) == 0:
        raise DataError(f"{path}: images are {images.dtype} {images.shape}; they must be uint8 (N, H, W, C), N >= 1")
    if labels is not None:
        if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
            raise DataError(f"{path}: labels are {labels.dtype} {labels.shape}; they must be integers ({len(images)},)")
        if labels.min() < 0 or labels.max() > 255:
            raise DataError(f"{path}: labels go from {labels.min()} to {labels.max()}; they must lie in 0 .. 255")
        labels = labels.astype(np.uint8)
    return Images(images, labels)


def _read_binary(path: Path) -> Images:
    """Records of one label byte and 3072 planar RGB bytes."""
    size = path.stat().st_size
    if size == 0 or size % RECORD or size > MAX_BATCH_BYTES:
        raise DataError(
            f"{path}: {size} bytes are not a whole number of {RECORD}-byte CIFAR-10 records; fetch the file again"
        )
    records = np.fromfile(path, np.uint8).reshape(-1, RECORD)
    return _batch(path, records[:, 1:], records[:, 0])


def _read_pickle(path: Path) -> Images:
    """A pickled dict with `data` uint8 (N, 3072) and `labels`, keys str or bytes."""
    size = path.stat().st_size
    if size > MAX_BATCH_BYTES:
        raise DataError(f"{path}: larger than {MAX_BATCH_BYTES} bytes, not a CIFAR-10 batch; fetch the file again")
    try:
        with path.open("rb") as file:
            content = unpickle(file, Budget(size), _BatchReader())
        if not isinstance(content, dict):
            kind = content if isinstance(content, Name | Record) else type(content).__name__
            raise DataError(f"holds a {kind}, not a CIFAR-10 batch")
        fields = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in content.items()}
        data, labels = (_array(fields.get(name)) for name in ("data", "labels"))
    except OSError as error:
        raise DataError(f"{path}: it cannot be read: {error.strerror}") from None
    except (PickleError, DataError) as error:
        raise DataError(f"{path}: {error}; fetch the file again") from None
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXELS:
        raise DataError(f'{path}: "data" is not a uint8 array (N, {PIXELS}); fetch the file again')
    if isinstance(labels, np.ndarray):
        labels = labels.tolist()
    if not isinstance(labels, list) or len(labels) != len(data) or not all(type(label) is int for label in labels):
        raise DataError(f'{path}: "labels" is not a list of {len(data)} integers; fetch the file again')
    return _batch(path, data, np.asarray(labels, np.int64) if labels else np.empty(0, np.int64))


def _batch(path: Path, planar: np.ndarray, labels: np.ndarray) -> Images:
    """planar uint8 (N, 3072), labels integers (N,) -> Images in NHWC."""
    if len(planar) == 0:
        raise DataError(f"{path}: holds no image; fetch the file again")
    bad = np.flatnonzero((labels < 0) | (labels >= CLASSES))
    if bad.size:
        raise DataError(
            f"{path}: record {bad[0]} has label {labels[bad[0]]}; CIFAR-10 has 0 to 9, fetch the file again"
        )
    images = planar.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return Images(np.ascontiguousarray(images), labels.astype(np.uint8))


def _line(error: BaseException) -> str:
    """The first line of an error's text, shortened."""
    return re.sub(r"\s+", " ", str(error) or type(error).__name__)[:120]


class _BatchReader(Reader):
    """Accepts only the names that occur in a pickled numpy array."""

    def name(self, name: Name) -> None:
        if (name.module, name.name) not in NUMPY_NAMES:
            raise PickleError(f"its pickle asks for {name}, which a CIFAR-10 batch does not need")


def _array(value: object) -> object:
    """The array of integers that a record of a pickle describes; any other value unchanged. DataError where damaged."""
    if not isinstance(value, Record):
        return value
    match value:
        case Record(kind=Name(name="_reconstruct"), state=(_, tuple() as shape, dtype, fortran, raw)):
            pass
        case Record(kind=Name(name="_frombuffer"), args=(raw, dtype, tuple() as shape, "C" | "F" as order)):
            fortran = order == "F"
        case _:
            raise DataError("its pickle holds an array without content")
    match dtype:
        case Record(kind=Name("numpy", "dtype"), args=(str(code), *_), state=(_, str(byte_order), *_)):
            pass
        case _:
            raise DataError("its pickle holds an array without a dtype")
    if not re.fullmatch("[iu][1248]", code) or byte_order not in tuple("=|<>"):
        raise DataError(f"its pickle holds an array of dtype {code[:20]!r}, not integers")
    kind = np.dtype(byte_order + code)
    if isinstance(raw, str):  # written by Python 2: one character per byte
        try:
            raw = raw.encode("latin-1")
        except UnicodeEncodeError:
            raise DataError("its pickle holds an array whose numbers are text") from None
    if not isinstance(raw, bytes | bytearray):
        raise DataError("its pickle holds an array that is not plain numbers")
    if not all(type(n) is int and n >= 0 for n in shape) or math.prod(shape) * kind.itemsize != len(raw):
        raise DataError(f"its pickle holds an array whose {len(raw)} bytes do not match its shape")
    return np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C")
