"""Images in archives: zip and tar, packed by gzip, bzip2 or xz, read as a stream. Nothing is ever unpacked to a disk.

A member is bytes under a name, and the name is only shown: no path of it is opened. How much one may unpack to is bounded as a
file's size is; archives in archives are not opened.
"""

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manyheads_shared.errors import UnreadableImageError
from manyheads_shared.image import MAX_FILE_BYTES

SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
# what damaged and encrypted archives lead the library to
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Member:
    """One file of an archive."""

    name: str
    size: int
    read: Callable[[], bytes]


def is_archive(path: Path) -> bool:
    """Whether a file's name says that it is an archive we open."""
    return path.name.lower().endswith(SUFFIXES)


def read_archive(path: Path) -> Iterator[Member]:
    """Go through the files of an archive, in its own order.

    A member of a zip is read when somebody asks for it, in any thread; one of a tar as it comes by, since what is packed as a
    whole cannot be read twice. Of none more is read than a file may have, and one byte.

    Raises:
        UnreadableImageError: it is no archive, or ends in the middle of one. A member's own damage shows when it is read.
    """
    with _named_damage():
        yield from _zip_members(path) if path.name.lower().endswith(".zip") else _tar_members(path)


def _zip_members(path: Path) -> Iterator[Member]:
    archive = zipfile.ZipFile(path)  # closed when the last member that may still be read is gone
    for entry in archive.infolist():
        if not entry.is_dir():
            yield Member(_name(entry.filename), entry.file_size, _zip_reader(archive, entry))


def _zip_reader(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        with _named_damage(), archive.open(entry) as stream:
            return stream.read(MAX_FILE_BYTES + 1)

    return read


def _tar_members(path: Path) -> Iterator[Member]:
    with tarfile.open(path, "r|*") as archive:
        for entry in archive:
            archive.members = []  # type: ignore[attr-defined]  # the library keeps every member it has seen
            if entry.isfile() and (stream := archive.extractfile(entry)):
                yield Member(_name(entry.name), entry.size, _ready(stream.read(MAX_FILE_BYTES + 1)))


def _ready(data: bytes) -> Callable[[], bytes]:
    return lambda: data


@contextmanager
def _named_damage() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise UnreadableImageError(f"cannot be read: the archive is damaged or encrypted: {error}") from error


def _name(name: str) -> str:
    """A member's name, with bytes that are no UTF-8 spelt out."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")
