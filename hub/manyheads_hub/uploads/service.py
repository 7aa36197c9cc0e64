"""Resumable uploads: what an address holds, what may be appended, and the check of the last byte.

The bytes that have arrived are `pieces` in the storage. Having every byte is not yet being complete: a hub killed between the
two finishes when it is next asked (`get_progress`). No lock, in the database or elsewhere, is held while bytes arrive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from manyheads_hub.audit.log import record
from manyheads_hub.auth import Caller
from manyheads_hub.errors import InvalidRequestError, QuotaError, TooLargeError, UploadOffsetError
from manyheads_hub.hub import Hub
from manyheads_hub.storage.port import StoredFile, StoredFileMissingError
from manyheads_hub.tables import UploadRow
from manyheads_hub.uploads import pieces, queries
from manyheads_shared import clock
from manyheads_shared.digest import Digest, parse_digest
from manyheads_shared.errors import DigestMismatchError


@dataclass(frozen=True)
class Progress:
    """How much of an upload the hub holds."""

    offset: int
    length: int | None  # None: nothing has come yet
    is_complete: bool  # every byte is here, checked and kept


def get_progress(hub: Hub, caller: Caller, digest: Digest) -> Progress:
    """Return how much of an object the caller has uploaded; finish what has every byte and was never checked.

    Bytes that turn out to be others are thrown away, and the upload starts again at 0.
    """
    try:
        return settle(hub, caller, digest)
    except DigestMismatchError:
        return _look(hub, caller, digest)[0]


def begin(hub: Hub, caller: Caller, digest: Digest, *, offset: int, length: int, body: int | None) -> Progress:
    """Check a request to append, before a byte of its body is read, and return where the upload stands.

    The plan: (1) a length within the limit; (2) a body that ends within it; (3) within the contributor's share; (4) the
    length said before; (5) the offset where the hub stands. An upload that is complete passes: it costs nothing.

    Args:
        body: bytes of the body, where the caller says so.

    Raises:
        InvalidRequestError: step 1 fails on an empty object, or step 2.
        TooLargeError: step 1 fails.
        QuotaError: step 3 fails.
        UploadOffsetError: steps 4 or 5 fail.
    """
    limits = hub.settings.limits
    # step 1
    if length < 1:
        raise InvalidRequestError(f"expected an object of at least 1 byte, got {length}")
    if length > limits.upload_bytes:
        raise TooLargeError(f"expected at most {limits.upload_bytes} bytes, got {length}")
    # step 2
    if body is not None and offset + body > length:
        raise InvalidRequestError(f"expected at most {length - offset} more bytes, the request brings {body}")
    if (progress := get_progress(hub, caller, digest)).is_complete:
        return progress
    with hub.database.write() as session:
        # step 3
        total = queries.claimed_bytes(session, caller.contributor_id, but=digest) + length
        if total > limits.contributor_bytes:
            raise QuotaError(
                f"expected at most {limits.contributor_bytes} bytes from one contributor, this would make {total}; "
                "ask the hub's maintainer for more room"
            )
        # step 4
        row = queries.find(session, caller.contributor_id, digest)
        if row is None:
            row = UploadRow(contributor_id=caller.contributor_id, digest=digest, length=length, created=clock.now())
            session.add(row)
        was, row.length = row.length, length if offset == 0 else row.length
    if was != length and offset:
        raise UploadOffsetError(f"the upload was begun with {was} bytes, now it has {length}", offset=0)
    # step 5
    held = pieces.read_row(hub.storage, caller.contributor_id, digest)
    pieces.drop(hub.storage, held.astray if was == length else (*held.pieces, *held.astray))
    stands = held.end if was == length else 0
    if offset != stands:
        raise UploadOffsetError(f"expected to go on at byte {stands}, got byte {offset}", offset=stands)
    return Progress(stands, length, is_complete=False)


def read_begun(hub: Hub, caller: Caller, digest: Digest, offset: int) -> bytes:
    """Return what the hub holds, before an offset, of the piece that the offset falls into.

    Raises:
        UploadOffsetError: another request has thrown the upload away since the check.
    """
    try:
        return pieces.read_begun(hub.storage, caller.contributor_id, digest, offset)
    except StoredFileMissingError as error:
        raise UploadOffsetError("this upload has begun again meanwhile; ask HEAD where it stands", offset=0) from error


def keep(hub: Hub, caller: Caller, digest: Digest, start: int, data: bytes) -> None:
    """Keep one piece."""
    pieces.write_piece(hub.storage, caller.contributor_id, digest, start, data)


def settle(hub: Hub, caller: Caller, digest: Digest) -> Progress:
    """Return where an upload stands; with every byte there, check them first and make them a blob.

    Two requests may do this at once: they make the same blob, and whoever comes second finds it made.

    Raises:
        DigestMismatchError: other bytes came; they are thrown away, and the upload starts again at 0.
    """
    progress, row = _look(hub, caller, digest)
    if progress.is_complete or progress.length is None or progress.offset < progress.length:
        return progress
    try:
        hub.blobs.put_stream(digest, pieces.stream_pieces(hub.storage, row))
    except StoredFileMissingError:
        return _look(hub, caller, digest)[0]
    except DigestMismatchError:
        pieces.drop(hub.storage, row.pieces)
        raise
    with hub.database.write() as session:
        upload = queries.find(session, caller.contributor_id, digest)
        if upload is not None and upload.completed is None:
            upload.completed = clock.now()
            record(session, caller.actor, "upload.completed", digest, details={"bytes": upload.length})
    pieces.drop(hub.storage, (*row.pieces, *row.astray))
    return _look(hub, caller, digest)[0]


def forget_abandoned(hub: Hub, before: datetime) -> int:
    """Throw away uploads to which nothing has come since a moment, and pieces that no upload needs; return how many went."""
    forgotten, moment = 0, clock.write_time(before)
    fresh: set[tuple[int, Digest]] = set()
    for (contributor_id, name), found in groupby(pieces.list_all(hub.storage), key=lambda each: each[:2]):
        digest, held = parse_digest(f"sha256:{name}"), [piece for _, _, piece in found]
        if max(piece.modified for piece in held) >= before:
            fresh.add((contributor_id, digest))
        else:
            forgotten += _forget(hub, contributor_id, digest, held)
    with hub.database.write() as session:
        for row in queries.begun_before(session, moment):
            if (row.contributor_id, row.digest) not in fresh:
                session.delete(row)
                forgotten += 1
    return forgotten


def _forget(hub: Hub, contributor_id: int, digest: Digest, held: Sequence[StoredFile]) -> int:
    """Drop pieces and the upload that they are all of; return how many uploads that was."""
    with hub.database.write() as session:
        row = queries.find(session, contributor_id, digest)
        count = int(row is not None and row.completed is None)
        if row is not None and count:
            session.delete(row)
    pieces.drop(hub.storage, held)
    return count


def _look(hub: Hub, caller: Caller, digest: Digest) -> tuple[Progress, pieces.Row]:
    """Return where an upload stands and its pieces, and change nothing."""
    with hub.database.read() as session:
        row = queries.find(session, caller.contributor_id, digest)
    if row is None:
        return Progress(0, None, is_complete=False), pieces.Row()
    if row.completed is not None:
        return Progress(row.length, row.length, is_complete=True), pieces.Row()
    held = pieces.read_row(hub.storage, caller.contributor_id, digest)
    return Progress(held.end, row.length, is_complete=False), held
