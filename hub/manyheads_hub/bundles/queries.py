"""What the bundles' slice reads from the database."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Row, exists, func, select
from sqlalchemy.orm import Session

from manyheads_hub.tables import BundleRow, PublishedObjectRow
from manyheads_shared.digest import Digest

_PUBLISHED = select(BundleRow).where(BundleRow.published.is_not(None))
_ROWS_AT_ONCE = 20  # of 10,000 names each


def published(session: Session, limit: int, offset: int = 0) -> Sequence[BundleRow]:
    """Some published bundles, newest first."""
    return session.scalars(_PUBLISHED.order_by(BundleRow.sequence.desc()).limit(limit).offset(offset)).all()


def count_published(session: Session) -> int:
    """How many bundles were published."""
    return session.scalars(select(func.count()).where(BundleRow.published.is_not(None))).one()


def publications(session: Session) -> Sequence[Row[tuple[int, str]]]:
    """Number and moment of every published bundle, newest first: without the names it holds, which are many."""
    moments = select(BundleRow.sequence, BundleRow.published).where(BundleRow.published.is_not(None))
    return session.execute(moments.order_by(BundleRow.sequence.desc())).all()  # type: ignore[return-value]


def every_published(session: Session) -> Iterator[BundleRow]:
    """Every published bundle, newest first, a few in memory at a time."""
    query = _PUBLISHED.order_by(BundleRow.sequence.desc()).execution_options(yield_per=_ROWS_AT_ONCE)
    for row in session.scalars(query):
        session.expunge(row)
        yield row


def latest(session: Session, *, as_of: str | None = None) -> BundleRow | None:
    """The newest bundle, or the newest at a moment."""
    query = _PUBLISHED
    if as_of is not None:
        query = query.where(BundleRow.published <= as_of)
    return session.scalars(query.order_by(BundleRow.sequence.desc()).limit(1)).one_or_none()


def find(session: Session, sequence: int) -> BundleRow | None:
    """One published bundle."""
    return session.scalars(
        select(BundleRow).where(BundleRow.sequence == sequence, BundleRow.published.is_not(None))
    ).one_or_none()


def unpublished(session: Session) -> BundleRow | None:
    """A bundle whose publication was cut short; at most one, the newest."""
    return session.scalars(select(BundleRow).where(BundleRow.published.is_(None))).one_or_none()


def names_primary(session: Session, primary: Digest) -> bool:
    """Whether some bundle, published or not, names a primary."""
    return session.scalars(select(exists().where(BundleRow.primary == primary))).one()


def is_published_object(session: Session, digest: Digest) -> bool:
    """Whether some published bundle named the object."""
    return session.get(PublishedObjectRow, digest) is not None
