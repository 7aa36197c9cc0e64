"""Blobs: every file that the hub keeps for ever, named by digest, written once and never changed."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from manyheads_hub.storage.port import Storage, StoredFileMissingError
from manyheads_shared.digest import Digest, digest_bytes, hex_of, parse_digest
from manyheads_shared.errors import DigestMismatchError, ManyheadsError


class BlobMissingError(ManyheadsError):
    """The storage lost a file that the database names."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"the storage holds no blob {digest}, though the hub knows it; restore blobs/ from a copy")


class BlobDamagedError(ManyheadsError):
    """The storage changed a file after it was kept: the hub's fault, not that of whoever asks."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"blob {digest} was changed: its bytes are not those it is named by; restore it from a copy")


class Blobs:
    """The blobs in a storage, `blobs/ab/ab12…`, each whole or absent."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def put(self, data: bytes) -> Digest:
        """Keep `data` and return its digest; the same bytes twice are kept once."""
        digest = digest_bytes(data)
        if not self.exists(digest):
            self._storage.write(blob_name(digest), data)
        return digest

    def put_stream(self, digest: Digest, chunks: Iterable[bytes]) -> None:
        """Keep what comes in chunks, if it is what `digest` names. The same bytes twice are kept once, but read all the same.

        Raises:
            DigestMismatchError: it is something else; nothing is kept.
        """
        if self.exists(digest):
            for _ in _verified(digest, chunks):
                pass
        else:
            self.write_stream(digest, chunks)

    def write_stream(self, digest: Digest, chunks: Iterable[bytes]) -> None:
        """Keep what comes in chunks in place of whatever is there, if it is what `digest` names.

        Raises:
            DigestMismatchError: it is something else; what is there stays.
        """
        self._storage.write_stream(blob_name(digest), _verified(digest, chunks))

    def read(self, digest: Digest) -> bytes:
        """Return the bytes, checked against their name.

        Raises:
            BlobMissingError: nothing by that name.
            BlobDamagedError: the storage changed them.
        """
        try:
            data = self._storage.read(blob_name(digest))
        except StoredFileMissingError as error:
            raise BlobMissingError(digest) from error
        if digest_bytes(data) != digest:
            raise BlobDamagedError(digest)
        return data

    def exists(self, digest: Digest) -> bool:
        """Whether the storage holds it."""
        return self._storage.find_size(blob_name(digest)) is not None


class BlobSequence(Sequence[bytes]):
    """The bytes of several blobs, each read when it is asked for."""

    def __init__(self, blobs: Blobs, digests: Sequence[str]) -> None:
        self._blobs, self._digests = blobs, [parse_digest(digest) for digest in digests]

    def __len__(self) -> int:
        return len(self._digests)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> "BlobSequence": ...

    def __getitem__(self, index: int | slice) -> "bytes | BlobSequence":
        if isinstance(index, slice):
            return BlobSequence(self._blobs, self._digests[index])
        return self._blobs.read(self._digests[index])


def blob_name(digest: Digest) -> str:
    """Return a blob's name in the storage."""
    name = hex_of(digest)
    return f"blobs/{name[:2]}/{name}"


def _verified(digest: Digest, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass chunks on and raise at their end when they were other bytes."""
    sha256 = hashlib.sha256()
    for chunk in chunks:
        sha256.update(chunk)
        yield chunk
    actual = Digest(f"sha256:{sha256.hexdigest()}")
    if actual != digest:
        raise DigestMismatchError("upload", digest, actual)
