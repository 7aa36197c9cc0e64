"""What the hub asks of its storage: files by name, each whole or absent. `directory` and `s3` are the two ways to do it.

A name is a path of plain segments, `tuf/metadata/1.root.json`. Blobs, the TUF repository and uploads under way all lie here,
so that several replicas of a hub, on several machines, see the same.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from manyheads_shared.digest import Digest
from manyheads_shared.errors import ManyheadsError

CHUNK_BYTES = 1 << 20  # read or written at once
MAX_NAME = 500  # characters; S3 allows 1,024 bytes with the prefix

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class StoredFileMissingError(ManyheadsError):
    """The storage has no file of a name."""

    def __init__(self, place: str) -> None:
        super().__init__(f"expected a file at {place}, found none; restore it from a copy")


@dataclass(frozen=True)
class StoredFile:
    """One file in a listing."""

    name: str
    size: int  # bytes
    modified: datetime  # UTC


class Storage(Protocol):
    """Files by name. Every method raises `UnavailableError` when the storage does not answer."""

    def write(self, name: str, data: bytes) -> None:
        """Keep `data` under a name, in place of what was there."""
        ...

    def write_stream(self, name: str, chunks: Iterable[bytes]) -> None:
        """Keep what comes in chunks, in bounded memory. What `chunks` raises passes through, and nothing is kept then."""
        ...

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            StoredFileMissingError: nothing by that name.
        """
        ...

    def stream(self, name: str, *, start: int = 0, end: int | None = None) -> AbstractContextManager[Iterator[bytes]]:
        """Open a file and give its bytes from `start` up to `end` in chunks, in bounded memory.

        Raises:
            StoredFileMissingError: nothing by that name.
        """
        ...

    def find_size(self, name: str) -> int | None:
        """Return how many bytes a file has; None when there is none."""
        ...

    def find_digest(self, name: str) -> Digest | None:
        """Return the digest of a file written by `write`, as far as the storage can vouch for it; None when there is none."""
        ...

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """List the files whose names start with `prefix/`, in the order of their names."""
        ...

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is none the less gone."""
        ...

    def sweep(self, prefix: str, before: datetime) -> int:
        """Remove what killed writers began below `prefix` before a moment; return how many."""
        ...

    def link(self, name: str) -> str | None:
        """Return an address from which anyone may fetch a file for a while; None where files go through the hub."""
        ...

    def check(self) -> None:
        """Check that files can be kept here.

        Raises:
            UsageError: they cannot, as the settings stand.
        """
        ...

    def place(self, name: str) -> str:
        """Return where a file lies, or would, for people."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


def is_name(name: str) -> bool:
    """Whether a file may have this name. No segment is empty, hidden or leads upwards."""
    return len(name) <= MAX_NAME and all(_SEGMENT.fullmatch(segment) for segment in name.split("/"))
