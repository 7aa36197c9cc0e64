"""The demo's working folder: claimed before anything is written, so that nothing is thrown away that the demo did not make."""

import shutil
from pathlib import Path

from manyheads_shared.errors import UsageError
from manyheads_shared.files import write_atomic

_MARKER = ".manyheads-demo"
_WORDS = b"python -m deploy.demo made this folder, and throws away what is in it when it is told --fresh.\n"


def claim_folder(root: Path, data: Path | None, *, fresh: bool = False) -> None:
    """Make `root` the demo's own, or return to it.

    Args:
        root: the working folder.
        data: the user's images, which are no part of it.
        fresh: throw away what an earlier demo left there.

    Raises:
        UsageError: it holds something that the demo did not make, or it is or contains the images.
    """
    root = root.resolve()
    if data is not None and root in (data.resolve(), *data.resolve().parents):
        raise UsageError(f"{root} is the folder of the images, or contains it; choose another --out, what is there may be lost")
    marker = root / _MARKER
    left = [path for path in root.iterdir() if path != marker] if root.is_dir() else []
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root}: expected a folder, or none yet; this is a file. Choose another --out")
    if left and not marker.is_file():
        raise UsageError(
            f"{root}: expected a new or an empty folder, or one of an earlier demo; it holds {left[0].name}, which the demo "
            "did not make. Choose another --out"
        )
    if fresh:
        for path in left:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    write_atomic(marker, _WORDS)
