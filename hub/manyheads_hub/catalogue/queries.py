"""What the catalogue reads from the database. Databases differ in how they sort text: here names are sorted by their bytes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, collate, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from manyheads_hub.accounts.tables import OwnerKeyRow
from manyheads_hub.tables import HeadRow, PictureRow, SubmissionRow
from manyheads_shared.digest import Digest


def some_heads(session: Session, limit: int, offset: int, *, listed: bool | None = None) -> Sequence[HeadRow]:
    """Some catalogued heads, by generator, newest acceptance first: all, those listed, or those listed no longer."""
    order = (_by_bytes(session, HeadRow.generator), HeadRow.accepted.desc(), _by_bytes(session, HeadRow.version).desc())
    return session.scalars(_of_state(select(HeadRow), listed=listed).order_by(*order).limit(limit).offset(offset)).all()


def count_heads(session: Session, *, listed: bool) -> int:
    """How many heads are listed, or are listed no longer."""
    count: int = session.scalars(_of_state(select(func.count()).select_from(HeadRow), listed=listed)).one()
    return count


def left_out_heads(session: Session, primary: Digest) -> Sequence[HeadRow]:
    """The heads that do not belong in a primary's next bundle, by generator, newest acceptance first."""
    rows = session.scalars(select(HeadRow).where((HeadRow.state != "listed") | (HeadRow.primary != primary))).all()
    newest = sorted(rows, key=lambda row: (row.accepted, row.version), reverse=True)
    return sorted(newest, key=lambda row: row.generator)


def listed_head_of(session: Session, primary: Digest, generator: str) -> Sequence[HeadRow]:
    """The heads of one generator that belong in a primary's next bundle."""
    return session.scalars(
        select(HeadRow).where(HeadRow.generator == generator, HeadRow.state == "listed", HeadRow.primary == primary)
    ).all()


def measured_on(session: Session, head: HeadRow) -> Sequence[HeadRow]:
    """The other listed heads on a head's primary whose figures name its generator's images.

    The database looks for the name in the text of the figures and spares reading the others; whoever asks looks again.
    """
    named = cast(HeadRow.evaluation, String).contains(f'"source": "{head.generator}"', autoescape=True)
    return session.scalars(
        select(HeadRow).where(
            HeadRow.state == "listed", HeadRow.primary == head.primary, HeadRow.generator != head.generator, named
        )
    ).all()


def listed_heads(session: Session, primary: Digest) -> Sequence[HeadRow]:
    """The heads on one primary that belong in its next bundle, by generator."""
    rows = session.scalars(select(HeadRow).where(HeadRow.state == "listed", HeadRow.primary == primary)).all()
    return sorted(rows, key=lambda row: row.generator)


def signing_keys(session: Session) -> dict[Digest, OwnerKeyRow]:
    """The key that vouches for each catalogued head."""
    return {row.digest: row.OwnerKeyRow for row in session.execute(_KEYS)}


def signing_key(session: Session, digest: Digest) -> OwnerKeyRow:
    """The key that vouches for one catalogued head."""
    row: OwnerKeyRow = session.execute(_KEYS.where(HeadRow.digest == digest)).one().OwnerKeyRow
    return row


def find_by_digest(session: Session, digest: Digest) -> HeadRow | None:
    """The head of one digest."""
    return session.get(HeadRow, digest)


def find_head(session: Session, name: str, version: str) -> HeadRow | None:
    """The head of one generator version."""
    return session.scalars(select(HeadRow).where(HeadRow.generator == name, HeadRow.version == version)).one_or_none()


def pictures(session: Session, head: Digest) -> Sequence[PictureRow]:
    """A head's pictures, in order."""
    return session.scalars(select(PictureRow).where(PictureRow.head == head).order_by(PictureRow.position)).all()


_KEYS = (
    select(HeadRow.digest, OwnerKeyRow)
    .join(SubmissionRow, SubmissionRow.id == HeadRow.submission_id)
    .join(OwnerKeyRow, OwnerKeyRow.key_id == SubmissionRow.owner_key)
)


def _of_state(query: Select[Any], *, listed: bool | None) -> Select[Any]:
    if listed is None:
        return query
    return query.where(HeadRow.state == "listed" if listed else HeadRow.state != "listed")


def _by_bytes(session: Session, column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """Sort text by its bytes. SQLite does so by itself."""
    return collate(column, "C" if session.get_bind().dialect.name == "postgresql" else "BINARY")
