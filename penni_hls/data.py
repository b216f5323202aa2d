"""Images from disk: CIFAR-10 (binary or Python batches) and plain `.npz` files. No code of a file is ever run."""

from __future__ import annotations

import io
import math
import pickle
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from .errors import DataError

SIDE = 32
PIXELS = 3 * SIDE * SIDE
RECORD = 1 + PIXELS
CLASSES = 10
MAX_BATCH_BYTES = 1 << 30
MAX_NPZ_BYTES = 4 << 30  # unpacked; more is no set of images for calibration or simulation
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)  # of the pixels 0..1, as most CIFAR-10 networks were trained with
CIFAR10_STD = (0.2023, 0.1994, 0.2010)
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


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
    """A pickled dict with `data` uint8 (N, 3072) and `labels`, keys str or bytes; only numpy arrays are ever built."""
    if path.stat().st_size > MAX_BATCH_BYTES:
        raise DataError(f"{path}: larger than {MAX_BATCH_BYTES} bytes, not a CIFAR-10 batch; fetch the file again")
    try:
        content = _NumpyUnpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # a broken pickle can raise nearly anything
        raise DataError(f"{path}: not a CIFAR-10 batch ({_line(error)}); fetch the file again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds a {type(content).__name__}, not a CIFAR-10 batch; fetch the file again")
    fields = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in content.items()}
    data, labels = fields.get("data"), fields.get("labels")
    try:
        data, labels = (value.array() if isinstance(value, _Array) else value for value in (data, labels))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
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


class _Encode:
    """What pickle protocol 2 writes for bytes: text as latin-1. Any other codec is refused."""

    __slots__ = ()

    def __call__(self, text: object, codec: object = "latin1") -> bytes:
        if not isinstance(text, str) or codec not in ("latin1", "latin-1", b"latin1", b"latin-1"):
            raise DataError(f"the pickle asks for codec {codec!r}; refused")
        return text.encode("latin-1")


class _Dtype:
    """Stands for numpy.dtype: takes the code ("u1") and, by `__setstate__`, the byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: object, *_flags: object) -> None:
        self.code = code.decode("latin-1") if isinstance(code, bytes) else code
        self.order = "="

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1].decode("latin-1") if isinstance(state[1], bytes) else state[1]

    def dtype(self) -> np.dtype:
        if (
            not isinstance(self.code, str)
            or not re.fullmatch("[iu][1248]", self.code)
            or self.order not in tuple("=|<>")
        ):
            raise DataError(f"the pickle holds an array of dtype {self.code!r}; refused")
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for a pickled ndarray: keeps its bytes until `array` builds it."""

    __slots__ = ("state",)

    def __init__(self, *_ignored: object) -> None:
        self.state: tuple | None = None

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        if self.state is None or len(self.state) != 5:
            raise DataError("the pickle holds an array without content; refused")
        _version, shape, dtype, fortran, raw = self.state
        if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes) or not isinstance(shape, tuple):
            raise DataError("the pickle holds an array that is not plain numbers; refused")
        kind = dtype.dtype()
        if not all(type(n) is int and n >= 0 for n in shape) or math.prod(shape) * kind.itemsize != len(raw):
            raise DataError(f"the pickle holds an array of shape {shape} with {len(raw)} bytes; refused")
        return np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C")


class _BuildArray:
    """Makes an `_Array`. An instance without attributes, so that a pickle's BUILD cannot change anything of ours."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> _Array:
        return _Array()


class _BuildDtype:
    """Makes a `_Dtype`; see `_BuildArray`."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> _Dtype:
        return _Dtype(*arguments)


class _NumpyUnpickler(pickle._Unpickler):  # type: ignore[name-defined, misc]
    """Builds dicts, lists, strings, numbers and `_Array`s; refuses every other name a pickle asks for.

    The unpickler written in Python, because the one in C allocates memory for any memo index a file names.
    """

    ALLOWED: ClassVar[dict[tuple[str, str], object]] = {
        ("numpy.core.multiarray", "_reconstruct"): _BuildArray(),
        ("numpy._core.multiarray", "_reconstruct"): _BuildArray(),
        ("numpy", "ndarray"): None,
        ("numpy", "dtype"): _BuildDtype(),
        ("_codecs", "encode"): _Encode(),
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.ALLOWED:
            raise DataError(f"the pickle asks for {module}.{name}; refused, a CIFAR-10 batch needs no such thing")
        return self.ALLOWED[module, name]

    def get_extension(self, code: int) -> object:
        raise DataError("the pickle uses an extension code; refused")

    def persistent_load(self, pid: object) -> object:
        raise DataError("the pickle refers to an object outside itself; refused")
