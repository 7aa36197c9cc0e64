"""Uploads and blobs: what was acknowledged is whole, and nothing is left that nobody will reap."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from manyheads_hub.blobs import BlobDamagedError, BlobMissingError
from manyheads_hub.hub import Hub
from manyheads_hub.tables import UploadRow
from manyheads_hub.uploads.service import forget_abandoned
from manyheads_shared.digest import Digest
from tests.faults.evidence import Evidence
from tests.faults.invariants.finding import Finding, find


def check_files(hub: Hub, evidence: Evidence) -> list[Finding]:
    """Reap first, as the housekeeper will in a week; then read everything that was acknowledged."""
    left = [file.name for file in hub.storage.list("uploads")]
    later = datetime.now(UTC) + timedelta(seconds=2)
    forget_abandoned(hub, later)
    for prefix in ("blobs", "uploads", "tuf"):
        hub.storage.sweep(prefix, later)
    with hub.database.read() as session:
        rows = list(session.scalars(select(UploadRow)))
    whole = {line["digest"]: line["length"] for line in evidence.of("whole")}
    completed = {row.digest for row in rows if row.completed is not None}
    blobs = list(hub.storage.list("blobs"))
    return [
        find("every upload acknowledged as whole can be read, and is what it was", len(whole), _unread(hub, whole)),
        find(
            "the hub knows every upload that it acknowledged",
            len(whole),
            (str(digest) for digest in whole if digest not in completed),
        ),
        find(
            "what kills left of uploads under way is gone after the housekeeper's week",
            len(left),
            (*(file.name for file in hub.storage.list("uploads")), *(str(row.digest) for row in rows if not row.completed)),
        ),
        find("every blob is what it is named by", len(blobs), _damaged(hub, [file.name for file in blobs])),
    ]


def _unread(hub: Hub, whole: dict[str, int]) -> Iterator[str]:
    for digest, length in whole.items():
        try:
            if len(hub.blobs.read(Digest(digest))) != length:
                yield f"{digest}: another length"
        except (BlobMissingError, BlobDamagedError) as error:
            yield str(error)


def _damaged(hub: Hub, names: list[str]) -> Iterator[str]:
    for name in names:
        try:
            hub.blobs.read(Digest(f"sha256:{name.rpartition('/')[2]}"))
        except (BlobMissingError, BlobDamagedError) as error:
            yield str(error)
