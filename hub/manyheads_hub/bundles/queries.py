"""What the bundles' slice reads from the database."""

from collections.abc import Sequence

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from manyheads_hub.tables import BundleRow, PublishedObjectRow
from manyheads_shared.digest import Digest


def published(session: Session) -> Sequence[BundleRow]:
    """Every published bundle, newest first."""
    return session.scalars(select(BundleRow).where(BundleRow.published.is_not(None)).order_by(BundleRow.sequence.desc())).all()


def latest(session: Session, *, as_of: str | None = None) -> BundleRow | None:
    """The newest bundle, or the newest at a moment."""
    query = select(BundleRow).where(BundleRow.published.is_not(None))
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
