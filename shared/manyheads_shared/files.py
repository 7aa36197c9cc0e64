"""Files that are whole or absent: write beside, fsync, rename. A killed process leaves the old file or the new one."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path`, creating its folder, so that no reader ever sees half of it.

    Raises:
        OSError: the disk is full or the folder not writable; `path` is then as it was.
    """
    with open_atomic(path, mode=mode) as stream:
        stream.write(data)


@contextmanager
def open_atomic(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Open a stream whose bytes become `path` when the block ends without an error, and not before; its folder is created.

    Raises:
        OSError: the disk is full or the folder not writable; `path` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove_unfinished(folder: Path, names: str) -> None:
    """Remove what killed writers of files in `folder` left beside them, and nothing else.

    Args:
        names: regular expression for the whole name of a file that is written there.
    """
    unfinished = re.compile(rf"\.({names})\.[a-z0-9_]{{8}}")  # as `tempfile` draws it
    for path in folder.glob(".*"):
        if unfinished.fullmatch(path.name):
            path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
