"""A temporary folder in memory where the machine has one: the data of test servers, many small files that nobody keeps."""

import os
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")


def new_memory_folder(prefix: str) -> Path:
    """Make a folder; whoever asks removes it."""
    usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY if usable else None))
