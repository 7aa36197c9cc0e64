"""Blobs: every file the hub keeps, named by digest, written once and never changed."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, overload

from manyheads_shared.digest import Digest, digest_bytes, hex_of, parse_digest
from manyheads_shared.errors import ManyheadsError
from manyheads_shared.files import sync_folder, write_atomic


class BlobMissingError(ManyheadsError):
    """The store lost a file that the database names."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"the blob store holds no {digest}, though the hub knows it; restore blobs/ from a copy")


class BlobDamagedError(ManyheadsError):
    """The disk changed a file after it was stored: the hub's fault, not that of whoever asks."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"the disk changed blob {digest}: its bytes are not those it is named by; restore it from a copy")


class BlobStore(Protocol):
    """Where blobs lie."""

    def put(self, data: bytes) -> Digest:
        """Keep `data` and return its digest; the same bytes twice are kept once."""
        ...

    def adopt(self, path: Path, digest: Digest) -> None:
        """Take over a file whose digest was checked; `path` is gone afterwards."""
        ...

    def read(self, digest: Digest) -> bytes:
        """Return the bytes, checked against their name.

        Raises:
            BlobMissingError: nothing by that name.
            BlobDamagedError: the disk changed them.
        """
        ...

    def open(self, digest: Digest) -> BinaryIO:
        """Return a stream of the bytes, not checked: the receiver does that.

        Raises:
            BlobMissingError: nothing by that name.
        """
        ...

    def size(self, digest: Digest) -> int:
        """Return the number of bytes.

        Raises:
            BlobMissingError: nothing by that name.
        """
        ...

    def exists(self, digest: Digest) -> bool:
        """Whether the store holds it."""
        ...


class DirectoryBlobStore:
    """Blobs as files, `ab/ab12…`, whole or absent."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes) -> Digest:
        """See `BlobStore.put`."""
        digest = digest_bytes(data)
        if not self.exists(digest):
            write_atomic(self._path(digest), data)
        return digest

    def adopt(self, path: Path, digest: Digest) -> None:
        """See `BlobStore.adopt`. `path` must lie on the same file system."""
        target = self._path(digest)
        if target.exists():
            path.unlink()
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
        path.replace(target)
        sync_folder(target.parent)
        sync_folder(self._root)  # the folder itself may be new

    def read(self, digest: Digest) -> bytes:
        """See `BlobStore.read`."""
        with self.open(digest) as stream:
            data = stream.read()
        if digest_bytes(data) != digest:
            raise BlobDamagedError(digest)
        return data

    def open(self, digest: Digest) -> BinaryIO:
        """See `BlobStore.open`."""
        try:
            return self._path(digest).open("rb")
        except FileNotFoundError as error:
            raise BlobMissingError(digest) from error

    def size(self, digest: Digest) -> int:
        """See `BlobStore.size`."""
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError as error:
            raise BlobMissingError(digest) from error

    def exists(self, digest: Digest) -> bool:
        """See `BlobStore.exists`."""
        return self._path(digest).is_file()

    def _path(self, digest: Digest) -> Path:
        name = hex_of(digest)
        return self._root / name[:2] / name


class BlobSequence(Sequence[bytes]):
    """The bytes of several blobs, each read when it is asked for."""

    def __init__(self, store: BlobStore, digests: Sequence[str]) -> None:
        self._store, self._digests = store, [parse_digest(digest) for digest in digests]

    def __len__(self) -> int:
        return len(self._digests)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> "BlobSequence": ...

    def __getitem__(self, index: int | slice) -> "bytes | BlobSequence":
        if isinstance(index, slice):
            return BlobSequence(self._store, self._digests[index])
        return self._store.read(self._digests[index])
