"""The bytes of an upload under way: pieces of one size in the storage, each named by where it begins; the last may be shorter.

    uploads/CONTRIBUTOR/HEX/000000000000, 000004194304, …

The storage alone says where an upload stands: at the end of the unbroken row of pieces from 0. So it survives a kill of either
side, every replica sees the same, and no lock is held while bytes arrive: two requests that bring the same object at once write
the same pieces, and a shorter one never replaces a longer. What stands beyond a gap is dropped when a request begins.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from manyheads_hub.storage.port import Storage, StoredFile
from manyheads_shared.digest import Digest, hex_of

PREFIX = "uploads"
PIECE_BYTES = 4 << 20  # held in memory for each request, and what a killed hub may lose of it
_DIGITS = 12


@dataclass(frozen=True)
class Row:
    """What the storage holds of one upload."""

    pieces: tuple[StoredFile, ...] = ()  # the unbroken row, in order
    astray: tuple[StoredFile, ...] = ()

    @property
    def end(self) -> int:
        """Where the upload stands, in bytes."""
        return sum(piece.size for piece in self.pieces)


def read_row(storage: Storage, contributor_id: int, digest: Digest) -> Row:
    """Look at what the storage holds of an upload."""
    end, pieces, astray = 0, [], []
    for piece in storage.list(_folder(contributor_id, digest)):
        if int(piece.name.rpartition("/")[2]) == end:
            pieces.append(piece)
            end += piece.size
        else:
            astray.append(piece)
    return Row(tuple(pieces), tuple(astray))


def read_begun(storage: Storage, contributor_id: int, digest: Digest, offset: int) -> bytes:
    """Return what is there, before an offset, of the piece that the offset falls into.

    Raises:
        StoredFileMissingError: it is there no more.
    """
    begun = offset % PIECE_BYTES
    if not begun:
        return b""
    with storage.stream(_name(contributor_id, digest, offset - begun), end=begun) as chunks:
        return b"".join(chunks)


def write_piece(storage: Storage, contributor_id: int, digest: Digest, start: int, data: bytes) -> None:
    """Keep one piece, unless it is there as long or longer."""
    name = _name(contributor_id, digest, start)
    if len(data) == PIECE_BYTES or len(data) > (storage.find_size(name) or 0):
        storage.write(name, data)


def stream_pieces(storage: Storage, row: Row) -> Iterator[bytes]:
    """Give the bytes of a row in chunks.

    Raises:
        StoredFileMissingError: another request has finished with the upload meanwhile.
    """
    for piece in row.pieces:
        with storage.stream(piece.name) as chunks:
            yield from chunks


def drop(storage: Storage, pieces: Iterable[StoredFile]) -> None:
    """Throw pieces away, the last first, so that a kill leaves a row."""
    for piece in sorted(pieces, key=lambda piece: piece.name, reverse=True):
        storage.delete(piece.name)


def list_all(storage: Storage) -> Iterator[tuple[int, str, StoredFile]]:
    """List every piece of every upload, with its contributor and the hexadecimal digest of its object."""
    for piece in storage.list(PREFIX):
        _, contributor, digest, _ = piece.name.split("/")
        yield int(contributor), digest, piece


def _name(contributor_id: int, digest: Digest, start: int) -> str:
    return f"{_folder(contributor_id, digest)}/{start:0{_DIGITS}}"


def _folder(contributor_id: int, digest: Digest) -> str:
    return f"{PREFIX}/{contributor_id}/{hex_of(digest)}"
