"""What the catalogue reads from the database. Databases differ in how they sort text: here names are sorted by their bytes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, collate, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from manyheads_hub.accounts.tables import OwnerKeyRow
from manyheads_hub.catalogue.search import STATES, Search
from manyheads_hub.tables import HeadRow, PictureRow, PrimaryRow, SubmissionRow
from manyheads_shared.digest import Digest


def some_heads(session: Session, search: Search, limit: int, offset: int) -> Sequence[HeadRow]:
    """Some of the heads that are looked for, by generator, newest acceptance first."""
    order = (by_bytes(session, HeadRow.generator), HeadRow.accepted.desc(), by_bytes(session, HeadRow.version).desc())
    return session.scalars(_matching(select(HeadRow), search).order_by(*order).limit(limit).offset(offset)).all()


def count_heads(session: Session, search: Search) -> int:
    """How many heads are what is looked for."""
    count: int = session.scalars(_matching(select(func.count()).select_from(HeadRow), search)).one()
    return count


def heads_of(session: Session, generator: str) -> Sequence[HeadRow]:
    """Every head there ever was of a generator, newest acceptance first."""
    rows = session.scalars(select(HeadRow).where(HeadRow.generator == generator)).all()
    return sorted(rows, key=lambda row: (row.accepted, row.version), reverse=True)


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


def _matching(query: Select[Any], search: Search) -> Select[Any]:
    if search.states != STATES:
        query = query.where(HeadRow.state.in_(search.states))
    if search.text:
        query = query.where(HeadRow.generator.contains(search.text.lower(), autoescape=True))
    if search.owner:
        query = query.where(HeadRow.owner == search.owner)
    if search.level != "any":
        query = query.where(HeadRow.level == search.level)
    if search.primary is not None:
        query = query.where(HeadRow.primary == search.primary)
    if search.recall:
        query = query.where(HeadRow.evaluation["recall"]["lower"].as_float() >= search.recall)
    if search.image_size is not None:
        of_size = select(PrimaryRow.digest).where(PrimaryRow.image_size == search.image_size)
        query = query.where(HeadRow.primary.in_(of_size))
    return query


def by_bytes(session: Session, column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """Sort text by its bytes. SQLite does so by itself."""
    return collate(column, "C" if session.get_bind().dialect.name == "postgresql" else "BINARY")
