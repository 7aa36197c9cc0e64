"""The pack: a bundle and the metadata it was verified with, as one file. Writes and reads the container; trusts nothing in it.

A plain tar archive with one spelling: `pack.json`, which names the parts, then every object by digest, in ascending order.
Nothing is compressed, no entry has a path of its own choosing, and reading takes memory for the index alone. Who vouches for
the content is for `importing`. Specification: docs/formats/pack.md.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, ClassVar

from manyheads_client.errors import PackError
from manyheads_client.store import HeldMetadata
from manyheads_shared.digest import Digest, digest_stream, hex_of, verify_digest
from manyheads_shared.document import Document
from manyheads_shared.errors import DigestMismatchError, UsageError
from manyheads_shared.manifest import DigestField

MAX_ENTRIES = 120_000  # a manifest of 16 MiB names fewer than 40,000 heads, with three objects each
MAX_ENTRY_BYTES = 4 << 30  # a primary artifact, the largest object there is
_INDEX_NAME = "pack.json"
_OBJECT_NAME = re.compile("objects/([0-9a-f]{64})")
_BLOCK = 512  # bytes; ustar's unit
_END = bytes(2 * _BLOCK)
_CHUNK_BYTES = 1 << 20

OnBytes = Callable[[int], None]  # bytes of one chunk


class PackIndex(Document):
    """Which of a pack's objects are the manifest and the metadata; what else it needs, the manifest says."""

    FORMAT: ClassVar[str] = "manyheads.pack/1"
    MAX_BYTES: ClassVar[int] = 1 << 16  # 256 roots are 20 kB

    bundle: DigestField  # of the manifest
    metadata: HeldMetadata

    def object_digests(self) -> set[Digest]:
        """Digests of the manifest and the metadata."""
        return {self.bundle, *self.metadata.object_digests()}


class Pack:
    """An opened pack. Its index is in memory, its objects are read from the file, and verified, when they are asked for."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        """Read the index; `open_pack` says what is refused."""
        self.path = path
        self._stream = stream
        self._size = os.fstat(stream.fileno()).st_size
        self._places: dict[Digest, tuple[int, int]] = {}  # offset and bytes
        self.index = self._read_places()

    def size_of(self, digest: Digest) -> int:
        """Bytes of an object.

        Raises:
            PackError: the pack lacks it.
        """
        return self._place(digest)[1]

    def read_object(self, digest: Digest, limit: int = MAX_ENTRY_BYTES) -> bytes:
        """Return an object, verified against its name.

        Args:
            limit: bytes that an object of its kind may have.

        Raises:
            DigestMismatchError: the file was damaged or altered.
            PackError: the pack lacks it, or it is too large.
        """
        if self.size_of(digest) > limit:
            raise PackError(f"{self.path}: objects/{hex_of(digest)} may have {limit} bytes, it has {self.size_of(digest)}")
        data = b"".join(self._chunks(digest))
        verify_digest(f"{self.path}: objects/{hex_of(digest)}", data, digest)
        return data

    def copy_object(self, digest: Digest, target: Path, on_bytes: OnBytes) -> None:
        """Write an object to a file, verified against its name. What fails is removed.

        Raises:
            DigestMismatchError: the file was damaged or altered.
            PackError: the pack lacks it.
        """
        try:
            with target.open("wb") as stream:
                _copy(self._chunks(digest), stream, f"{self.path}: objects/{hex_of(digest)}", digest, on_bytes)
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def refuse_foreign(self, needed: set[Digest]) -> None:
        """Check that the pack holds what is needed and nothing else.

        Raises:
            PackError: it lacks an object, or holds one more.
        """
        for digest in sorted(needed - self._places.keys()):
            raise PackError(f"{self.path}: the bundle needs objects/{hex_of(digest)}, which the pack lacks. Export it again.")
        for digest in sorted(self._places.keys() - needed):
            raise PackError(
                f"{self.path}: expected what the bundle needs and nothing else, got objects/{hex_of(digest)} as well."
            )

    def digest(self) -> Digest:
        """The digest of the whole file."""
        self._stream.seek(0)
        return digest_stream(self._stream)

    def _read_places(self) -> PackIndex:
        name, start, size = self._read_header(0)
        if name != _INDEX_NAME or size > PackIndex.MAX_BYTES:
            raise PackError(
                f"{self.path}: expected {_INDEX_NAME} of at most {PackIndex.MAX_BYTES} bytes first, got {name!r} of {size}"
            )
        index = PackIndex.from_bytes(self._read(start, size))
        position, before = start + _padded(size), ""
        while (block := self._read(position, _BLOCK)) != _END[:_BLOCK]:
            name, start, size = self._read_header(position, block)
            found = _OBJECT_NAME.fullmatch(name)
            if found is None or name <= before:
                raise PackError(
                    f"{self.path}: expected objects/ and the digest of each object, once and in ascending order, got {name!r}"
                    + (f" after {before!r}" if found else "")
                )
            if len(self._places) == MAX_ENTRIES:
                raise PackError(f"{self.path}: a pack may have {MAX_ENTRIES} objects, this one has more")
            self._places[Digest("sha256:" + found[1])] = start, size
            position, before = start + _padded(size), name
        if self._read(position, len(_END)) != _END or self._size != position + len(_END):
            raise PackError(f"{self.path}: expected two empty blocks at the end and nothing after them, got something else")
        return index

    def _read_header(self, position: int, block: bytes | None = None) -> tuple[str, int, int]:
        """Return an entry's name, where its content starts, and its bytes; its padding is verified."""
        block = self._read(position, _BLOCK) if block is None else block
        name = block[:100].rstrip(b"\0").decode("ascii", "replace")
        digits = block[124:135]
        size = int(digits, 8) if re.fullmatch(rb"[0-7]{11}", digits) else -1
        if size < 0 or block != _header(name, size):
            raise PackError(
                f"{self.path}: expected a pack written by `manyheads export`, got something else at byte {position}"
                + (f": an entry {name!r}, or a kind of entry, that no pack has" if block[257:262] == b"ustar" else "")
            )
        if size > MAX_ENTRY_BYTES:
            raise PackError(f"{self.path}: an object may have {MAX_ENTRY_BYTES} bytes, {name!r} is said to have {size}")
        start = position + _BLOCK
        if self._read(start + size, _padded(size) - size).strip(b"\0"):
            raise PackError(f"{self.path}: expected zeros after {name!r}, got something else")
        return name, start, size

    def _read(self, position: int, size: int) -> bytes:
        data = b""
        if position + size <= self._size:
            self._stream.seek(position)
            data = self._stream.read(size)
        if len(data) != size:  # from the beginning, or since it was opened
            raise PackError(
                f"{self.path}: expected at least {position + size} bytes, got {self._size}: the file was cut off; copy it again"
            )
        return data

    def _place(self, digest: Digest) -> tuple[int, int]:
        if digest not in self._places:
            raise PackError(f"{self.path}: the bundle needs objects/{hex_of(digest)}, which the pack lacks. Export it again.")
        return self._places[digest]

    def _chunks(self, digest: Digest) -> Iterator[bytes]:
        position, left = self._place(digest)
        while left:
            chunk = self._read(position, min(left, _CHUNK_BYTES))
            position, left = position + len(chunk), left - len(chunk)
            yield chunk


@contextmanager
def open_pack(path: Path) -> Iterator[Pack]:
    """Open a pack and read its index: every entry's name, place and size, and that there is nothing else in the file.

    Raises:
        UsageError: the file is not there, no regular file, or may not be read.
        PackError, ManifestError, UnsupportedVersionError: it breaks the format.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: a pipe would wait for its writer
            raise UsageError(f"{path}: expected a file, got something else")
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    with stream:
        yield Pack(path, stream)


def write_pack(
    stream: BinaryIO,
    index: PackIndex,
    digests: Iterable[Digest],
    open_object: Callable[[Digest], BinaryIO],
    on_bytes: OnBytes = lambda _: None,
) -> Digest:
    """Write a pack; the same content gives the same bytes.

    Args:
        digests: of every object, those the index names among them.
        open_object: opens one; what it raises passes through.

    Returns:
        The digest of the whole file.

    Raises:
        DigestMismatchError: an object was damaged or altered.
    """
    whole = _Digesting(stream)
    data = index.to_bytes()
    whole.write(_header(_INDEX_NAME, len(data)) + data + _padding(len(data)))
    for digest in sorted(set(digests)):
        name = f"objects/{hex_of(digest)}"
        with open_object(digest) as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(0)
            whole.write(_header(name, size))
            _copy(iter(lambda source=source: source.read(_CHUNK_BYTES), b""), whole, name, digest, on_bytes)  # type: ignore[misc]
            whole.write(_padding(size))
    whole.write(_END)
    return whole.digest()


class _Digesting:
    """Passes bytes on to a stream and digests them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._state = stream, hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._state.update(data)
        self._stream.write(data)

    def digest(self) -> Digest:
        return Digest("sha256:" + self._state.hexdigest())


def _copy(chunks: Iterable[bytes], target: "BinaryIO | _Digesting", name: str, digest: Digest, on_bytes: OnBytes) -> None:
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
        target.write(chunk)
        on_bytes(len(chunk))
    if (actual := "sha256:" + state.hexdigest()) != digest:
        raise DigestMismatchError(name, digest, actual)


def _header(name: str, size: int) -> bytes:
    """Return the block before an entry: POSIX ustar (IEEE Std 1003.1, pax), of a file without owner, time or links."""
    fields = (
        name.encode("ascii", "replace").ljust(100, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,  # mode, user, group
        b"%011o\0" % size,
        b"00000000000\0",  # time
        b" " * 8,  # the checksum's place while it is made
        b"0".ljust(101, b"\0"),  # a file, linked to nothing
        b"ustar\00000".ljust(72, b"\0"),  # no names of user and group
        b"0000000\0" * 2,  # no device
    )
    block = b"".join(fields).ljust(_BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _padding(size: int) -> bytes:
    return bytes(_padded(size) - size)
