"""Files that are whole or absent: write beside, fsync, rename. A killed process leaves the old file or the new one."""

import os
import re
import tempfile
from pathlib import Path


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path`, creating its folder, so that no reader ever sees half of it.

    Raises:
        OSError: the disk is full or the folder not writable; `path` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
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
        names: regular expression for the whole name of a file that `write_atomic` writes there.
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
