"""Arrays that memory does not hold: .npy files, mapped, with their room reserved before anything is written into them.

A mapped file that grows into a full disk kills the process with a signal; a reservation fails with an error.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


def create_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[Any]]:
    """Create a mapped .npy file, its folder with it; what it holds is not defined.

    Raises:
        OSError: the disk has no room for it (ENOSPC), or the folder is not writable; no file is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
        with path.open("r+b") as stream:
            if sys.platform == "linux":  # elsewhere the file stays sparse
                os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
    return array
