"""What the catalogue reads from the database. Names are sorted here: databases differ in how they sort text."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from manyheads_hub.accounts.tables import OwnerKeyRow
from manyheads_hub.tables import HeadRow, PictureRow, SubmissionRow
from manyheads_shared.digest import Digest


def all_heads(session: Session) -> Sequence[HeadRow]:
    """Every catalogued head, by generator, newest acceptance first."""
    rows = session.scalars(select(HeadRow)).all()
    newest = sorted(rows, key=lambda row: (row.accepted, row.version), reverse=True)
    return sorted(newest, key=lambda row: row.generator)


def listed_heads(session: Session, primary: Digest) -> Sequence[HeadRow]:
    """The heads on one primary that belong in its next bundle, by generator."""
    rows = session.scalars(select(HeadRow).where(HeadRow.state == "listed", HeadRow.primary == primary)).all()
    return sorted(rows, key=lambda row: row.generator)


def signing_keys(session: Session) -> dict[Digest, OwnerKeyRow]:
    """The key that vouches for each catalogued head."""
    query = (
        select(HeadRow.digest, OwnerKeyRow)
        .join(SubmissionRow, SubmissionRow.id == HeadRow.submission_id)
        .join(OwnerKeyRow, OwnerKeyRow.key_id == SubmissionRow.owner_key)
    )
    return {row.digest: row.OwnerKeyRow for row in session.execute(query)}


def find_by_digest(session: Session, digest: Digest) -> HeadRow | None:
    """The head of one digest."""
    return session.get(HeadRow, digest)


def find_head(session: Session, name: str, version: str) -> HeadRow | None:
    """The head of one generator version."""
    return session.scalars(select(HeadRow).where(HeadRow.generator == name, HeadRow.version == version)).one_or_none()


def pictures(session: Session, head: Digest) -> Sequence[PictureRow]:
    """A head's pictures, in order."""
    return session.scalars(select(PictureRow).where(PictureRow.head == head).order_by(PictureRow.position)).all()
