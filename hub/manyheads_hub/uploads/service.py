"""Resumable uploads: what an address holds, what may be appended, and the check of the last byte.

The bytes that have arrived lie in `blobs/partial/CONTRIBUTOR/HEX`, so the offset is the file's size and survives a kill.
Having every byte is not yet being complete: a hub killed between the two finishes when it is next asked (`get_progress`).
One request at a time appends (flock). No database lock is held while bytes arrive.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from manyheads_hub.audit.log import record
from manyheads_hub.auth import Caller
from manyheads_hub.errors import ConflictError, InvalidRequestError, QuotaError, TooLargeError, UploadOffsetError
from manyheads_hub.hub import Hub
from manyheads_hub.tables import UploadRow
from manyheads_hub.uploads import queries
from manyheads_shared import clock
from manyheads_shared.digest import Digest, digest_file, hex_of
from manyheads_shared.errors import DigestMismatchError

ABANDONED_DAYS = 7  # a partial upload is then thrown away
FINISH_SECONDS = 10.0  # to wait for another request that checks the last byte: it hashes 64 MB at most
LOOK_SECONDS = 0.05  # between two looks at whether it is done


@dataclass(frozen=True)
class Progress:
    """How much of an upload the hub holds."""

    offset: int
    length: int | None  # None: nothing has come yet
    is_complete: bool  # every byte is here, checked and kept


def get_progress(hub: Hub, caller: Caller, digest: Digest) -> Progress:
    """Return how much of an object the caller has uploaded; finish what has every byte and was never checked.

    Bytes that turn out to be others are thrown away, and the upload starts again at 0.

    Raises:
        ConflictError: another request is checking them, for longer than that should take.
    """
    progress = _look(hub, caller, digest)
    if progress.is_complete or progress.offset != progress.length:
        return progress
    with _locked(_partial_path(hub, caller, digest), patience=FINISH_SECONDS):
        progress = _look(hub, caller, digest)  # another request may have finished it meanwhile
        if not progress.is_complete and progress.offset == progress.length:
            with suppress(DigestMismatchError):
                complete(hub, caller, digest)
    return _look(hub, caller, digest)


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
    progress = get_progress(hub, caller, digest)
    if progress.is_complete:
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
        if row.length != length:
            if offset:
                raise UploadOffsetError(f"the upload was begun with {row.length} bytes, now it has {length}", offset=0)
            with _locked(_partial_path(hub, caller, digest)) as stream:
                stream.truncate(0)
            row.length = length
    # step 5
    held = _look(hub, caller, digest).offset
    if offset != held:
        raise UploadOffsetError(f"expected to go on at byte {held}, got byte {offset}", offset=held)
    return Progress(held, length, is_complete=False)


@contextmanager
def open_partial(hub: Hub, caller: Caller, digest: Digest, *, offset: int) -> Iterator[BinaryIO]:
    """Open the partial file for appending, for this request alone.

    Raises:
        ConflictError: another request is appending, or has completed the object since the check.
        UploadOffsetError: another request has appended since the check.
    """
    with _locked(_partial_path(hub, caller, digest)) as stream:
        held = os.fstat(stream.fileno()).st_size
        if held != offset:
            raise UploadOffsetError(f"expected to go on at byte {held}, got byte {offset}", offset=held)
        yield stream


def complete(hub: Hub, caller: Caller, digest: Digest) -> None:
    """Check a whole partial file against its digest and make it a blob. Call it while holding the file (`open_partial`).

    Raises:
        DigestMismatchError: other bytes came; they are thrown away, and the upload starts again at 0.
    """
    path = _partial_path(hub, caller, digest)
    actual = digest_file(path)
    if actual != digest:
        path.unlink()
        raise DigestMismatchError("upload", digest, actual)
    hub.blobs.adopt(path, digest)
    with hub.database.write() as session:
        row = queries.find(session, caller.contributor_id, digest)
        if row is not None:
            row.completed = clock.now()
            record(session, caller.actor, "upload.completed", digest, details={"bytes": row.length})


def forget_abandoned(hub: Hub) -> int:
    """Throw away uploads that nobody has finished for a week; return how many."""
    limit = clock.write_time(clock.read_time(clock.now()) - timedelta(days=ABANDONED_DAYS))
    forgotten = 0
    with hub.database.write() as session:
        for row in queries.begun_before(session, limit):
            path = _path(hub, row.contributor_id, row.digest)
            with suppress(ConflictError), _locked(path):  # bytes are arriving after all
                path.unlink()
                session.delete(row)
                forgotten += 1
    return forgotten


def _look(hub: Hub, caller: Caller, digest: Digest) -> Progress:
    """Return where an upload stands, and change nothing."""
    with hub.database.read() as session:
        row = queries.find(session, caller.contributor_id, digest)
    if row is None:
        return Progress(0, None, is_complete=False)
    if row.completed is not None:
        return Progress(row.length, row.length, is_complete=True)
    path = _partial_path(hub, caller, digest)
    return Progress(path.stat().st_size if path.exists() else 0, row.length, is_complete=False)


@contextmanager
def _locked(path: Path, *, patience: float = 0.0) -> Iterator[BinaryIO]:
    """Hold a partial file alone, open for appending.

    Args:
        patience: seconds to wait for another request that holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    with path.open("ab", buffering=0) as stream:  # a killed hub keeps every byte it was given
        while not _try_lock(stream):
            if time.monotonic() >= deadline:
                raise ConflictError("another request is uploading this very object; wait for it and ask again")
            time.sleep(LOOK_SECONDS)
        if not _is_still(path, stream):  # what was opened is a blob by now, or thrown away: not to be written to
            raise ConflictError("another request has just finished with this very object; ask again")
        yield stream


def _try_lock(stream: BinaryIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, stream: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def _partial_path(hub: Hub, caller: Caller, digest: Digest) -> Path:
    return _path(hub, caller.contributor_id, digest)


def _path(hub: Hub, contributor_id: int, digest: Digest) -> Path:
    return hub.settings.partial_uploads / str(contributor_id) / hex_of(digest)
