"""What the primaries' slice reads from the database."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from manyheads_hub.tables import PrimaryRow
from manyheads_shared.digest import Digest


def current(session: Session) -> PrimaryRow | None:
    """The newest published primary."""
    return session.scalars(
        select(PrimaryRow).where(PrimaryRow.published.is_not(None)).order_by(PrimaryRow.id.desc()).limit(1)
    ).one_or_none()


def newest(session: Session) -> PrimaryRow | None:
    """The newest primary, published or about to be: the next bundle's."""
    return session.scalars(select(PrimaryRow).order_by(PrimaryRow.id.desc()).limit(1)).one_or_none()


def published(session: Session) -> Sequence[PrimaryRow]:
    """Every published primary, newest first."""
    return session.scalars(select(PrimaryRow).where(PrimaryRow.published.is_not(None)).order_by(PrimaryRow.id.desc())).all()


def find(session: Session, digest: Digest) -> PrimaryRow | None:
    """One primary by digest."""
    return session.scalars(select(PrimaryRow).where(PrimaryRow.digest == digest)).one_or_none()


def find_version(session: Session, name: str, version: str) -> PrimaryRow | None:
    """One primary by name and version."""
    return session.scalars(select(PrimaryRow).where(PrimaryRow.name == name, PrimaryRow.version == version)).one_or_none()
