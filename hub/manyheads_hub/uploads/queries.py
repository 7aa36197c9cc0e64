"""What the uploads' slice reads from the database."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from manyheads_hub.tables import UploadRow
from manyheads_shared.digest import Digest


def find(session: Session, contributor_id: int, digest: Digest) -> UploadRow | None:
    """One contributor's upload of one object."""
    return session.get(UploadRow, (contributor_id, digest))


def claimed_bytes(session: Session, contributor_id: int, *, but: Digest | None = None) -> int:
    """Bytes of everything a contributor has uploaded or begun to, but for one object."""
    query = select(func.coalesce(func.sum(UploadRow.length), 0)).where(UploadRow.contributor_id == contributor_id)
    if but is not None:
        query = query.where(UploadRow.digest != but)
    return int(session.scalars(query).one())


def begun_before(session: Session, moment: str) -> list[UploadRow]:
    """Uploads that were begun before a moment and are not whole."""
    return list(session.scalars(select(UploadRow).where(UploadRow.completed.is_(None), UploadRow.created < moment)))
