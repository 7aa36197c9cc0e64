"""Exporting: a bundle of a store, and all that a stranger needs to verify it, as a pack. Reads the store, never changes it."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from manyheads_client.adoption import Count, OnBytes
from manyheads_client.bundle import verify_held
from manyheads_client.pack import PackIndex, write_pack
from manyheads_client.store import HeldBundle, Store
from manyheads_shared.bundle import read_manifest
from manyheads_shared.digest import Digest
from manyheads_shared.errors import UsageError
from manyheads_shared.files import open_atomic, remove_unfinished


@dataclass(frozen=True)
class Exported:
    """A pack that was written."""

    held: HeldBundle
    pack: Digest  # of the whole file
    object_count: int
    size_bytes: int  # of the whole file


def export_bundle(store: Store, path: Path, sequence: int | None = None, *, on_bytes: OnBytes | None = None) -> Exported:
    """Write a bundle of a store and what it was verified with as one file; the same content gives the same bytes.

    The plan: (1) the bundle's metadata and manifest, from the trusted root down; (2) every object, its digest verified while it
    is written; (3) the file appears, whole.

    Args:
        path: the pack; a file that is there is replaced.
        sequence: the bundle's number; None: the current one.

    Raises:
        NoBundleError: the store holds no such bundle, or lacks a file of it.
        UsageError: `path` cannot be written to.
        FormatError, VerificationError: something in the store was damaged or altered.
    """
    held = store.current() if sequence is None else store.find_held(sequence)
    # step 1
    verify_held(store, held)
    manifest = read_manifest(store.read_object(held.bundle))
    index = PackIndex.new(bundle=held.bundle, metadata=held.metadata)
    digests = index.object_digests() | set(manifest.object_digests())
    count = Count(sum(_size(store, digest) for digest in digests), on_bytes)
    # steps 2 and 3
    with _open_pack(path) as stream:
        pack = write_pack(stream, index, digests, store.open_object, count.add)
        size = stream.tell()
    return Exported(held, pack, len(digests), size)


@contextmanager
def _open_pack(path: Path) -> Iterator[BinaryIO]:
    """Open the file to write; what a killed export left beside it goes."""
    if path.exists() and not path.is_file():  # a rename would put the pack in the place of a device
        raise UsageError(f"{path}: expected the name of a file to write, got something that is there and is none")
    try:
        if path.parent.exists():
            remove_unfinished(path.parent, re.escape(path.name))
        with open_atomic(path) as stream:
            yield stream
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error


def _size(store: Store, digest: Digest) -> int:
    with store.open_object(digest) as stream:
        return os.fstat(stream.fileno()).st_size
