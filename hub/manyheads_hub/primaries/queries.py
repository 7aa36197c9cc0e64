"""What the primaries' slice reads from the database."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from manyheads_hub.tables import PrimaryRow
from manyheads_shared.digest import Digest

_TURN = func.coalesce(PrimaryRow.turn, PrimaryRow.id)


def current(session: Session) -> PrimaryRow | None:
    """The published primary whose turn came last."""
    published = select(PrimaryRow).where(PrimaryRow.published.is_not(None))
    return session.scalars(published.order_by(_TURN.desc()).limit(1)).one_or_none()


def newest(session: Session) -> PrimaryRow | None:
    """The primary whose turn came last, published or about to be: the next bundle's."""
    return session.scalars(select(PrimaryRow).order_by(_TURN.desc()).limit(1)).one_or_none()


def before(session: Session, row: PrimaryRow) -> PrimaryRow | None:
    """The published primary whose turn came last before another's."""
    earlier = select(PrimaryRow).where(PrimaryRow.published.is_not(None), PrimaryRow.id != row.id)
    return session.scalars(earlier.order_by(_TURN.desc()).limit(1)).one_or_none()


def next_turn(session: Session) -> int:
    """A turn greater than any that there was."""
    return 1 + (session.scalars(select(func.max(_TURN))).one() or 0)


def published(session: Session) -> Sequence[PrimaryRow]:
    """Every published primary, newest first."""
    return session.scalars(select(PrimaryRow).where(PrimaryRow.published.is_not(None)).order_by(PrimaryRow.id.desc())).all()


def find(session: Session, digest: Digest) -> PrimaryRow | None:
    """One primary by digest."""
    return session.scalars(select(PrimaryRow).where(PrimaryRow.digest == digest)).one_or_none()


def find_version(session: Session, name: str, version: str) -> PrimaryRow | None:
    """One primary by name and version."""
    return session.scalars(select(PrimaryRow).where(PrimaryRow.name == name, PrimaryRow.version == version)).one_or_none()
