"""What must hold of a file before its content is read: its size, and the members of a zip."""

from __future__ import annotations

import zipfile

from ..errors import CheckpointError
from ..pickles import short

MAX_FILE = 8 << 30  # bytes
MAX_MEMBERS = 100_000


def check_size(size: int, most: int = MAX_FILE) -> None:
    """CheckpointError where a file of `size` bytes is larger than `most`."""
    if size > most:
        raise CheckpointError(f"it is larger than {-(-most >> 30)} GiB")


def members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The members of an archive of `size` bytes, by path.

    CheckpointError unless each path stays within the archive, each member is stored uncompressed, and all together are
    no larger than the file.
    """
    infos = archive.infolist()
    found = {info.filename: info for info in infos}
    if len(infos) > MAX_MEMBERS or len(found) != len(infos):
        raise CheckpointError("it is a zip with too many members, or two of one name")
    for path, info in found.items():
        outside = path.startswith("/") or "\\" in path or path[1:2] == ":" or ".." in path.split("/")
        if outside or not path.isprintable():
            raise CheckpointError(f"it is a zip with a member whose path leads out of it, {short(path)}")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.flag_bits & 1:
            raise CheckpointError("it is a zip with compressed or encrypted members; torch stores them as they are")
    if sum(info.file_size for info in infos) > size:
        raise CheckpointError("it is a zip whose members claim more bytes than it has")
    return found
