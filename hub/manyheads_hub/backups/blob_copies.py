"""Blobs from one storage to another: those that are missing there, each checked against its name on the way."""

from collections.abc import Callable

from manyheads_hub.blobs import Blobs
from manyheads_hub.storage.port import Storage
from manyheads_shared.digest import parse_digest

BLOBS = "blobs"

Progress = Callable[[int, int], None]  # blobs looked at, of how many


def copy_blobs(source: Storage, target: Storage, on_blob: Progress | None = None) -> int:
    """Copy blobs and return how many the source has. One that the target has in its full size is left alone.

    Raises:
        DigestMismatchError: the source changed a blob.
    """
    files = list(source.list(BLOBS))
    kept = Blobs(target)
    for number, file in enumerate(files, start=1):
        if target.find_size(file.name) != file.size:
            with source.stream(file.name) as chunks:
                kept.write_stream(parse_digest(f"sha256:{file.name.rpartition('/')[2]}"), chunks)
        if on_blob:
            on_blob(number, len(files))
    return len(files)
