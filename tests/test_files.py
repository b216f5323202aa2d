"""Files are replaced atomically."""

from pathlib import Path

import pytest

from penni_hls.errors import UsageError
from penni_hls.files import replace_file


def test_bytes_or_what_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"first")
    assert path.read_bytes() == b"first"
    replace_file(path, lambda file: (file.write(b"sec"), file.write(b"ond")))
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("defect"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_write_that_breaks_off_leaves_the_old_file(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(file) -> None:
        file.write(b"half of the n")
        raise error

    with pytest.raises(UsageError if isinstance(error, OSError) else type(error)) as raised:
        replace_file(path, write)
    if isinstance(error, OSError):
        assert str(raised.value) == f"cannot write {path}: No space left on device"
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write .*: No such file or directory"):
        replace_file(tmp_path / "none" / "file", b"")
    assert not list(tmp_path.iterdir())
