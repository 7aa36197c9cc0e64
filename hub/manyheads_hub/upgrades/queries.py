"""What the upgrades' slice reads from the database."""

from collections.abc import Sequence

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from manyheads_hub.catalogue.queries import by_bytes
from manyheads_hub.tables import HeadRow
from manyheads_hub.upgrades.tables import CandidateRow, CompatibilityRow
from manyheads_shared import clock
from manyheads_shared.digest import Digest

Pair = tuple[HeadRow, CompatibilityRow]


def candidates(session: Session) -> Sequence[CandidateRow]:
    """Every candidate there ever was, newest first."""
    return session.scalars(select(CandidateRow).order_by(CandidateRow.offered.desc(), CandidateRow.digest)).all()


def find_candidate(session: Session, digest: Digest) -> CandidateRow | None:
    """One candidate by digest."""
    return session.get(CandidateRow, digest)


def find_candidate_version(session: Session, name: str, version: str) -> CandidateRow | None:
    """One candidate by name and version."""
    return session.scalars(select(CandidateRow).where(CandidateRow.name == name, CandidateRow.version == version)).one_or_none()


def carried_heads(session: Session, primary: Digest) -> list[Pair]:
    """The heads of earlier primaries that belong in a primary's next bundle, by generator, and how each stands on it.

    One whose generator has a head of the primary's own gives way to it, and so does one whose time is over.
    """
    native = aliased(HeadRow)
    superseded = exists().where(native.generator == HeadRow.generator, native.primary == primary, native.state == "listed")
    rows = session.execute(
        select(HeadRow, CompatibilityRow)
        .join(CompatibilityRow, CompatibilityRow.head == HeadRow.digest)
        .where(
            CompatibilityRow.primary == primary,
            CompatibilityRow.way.is_not(None),
            HeadRow.state == "listed",
            or_(CompatibilityRow.until.is_(None), CompatibilityRow.until > clock.now()),
            ~superseded,
        )
    ).all()
    return sorted(((row.HeadRow, row.CompatibilityRow) for row in rows), key=lambda pair: pair[0].generator)


def standings(session: Session, primary: Digest, limit: int, offset: int) -> Sequence[tuple[HeadRow, CompatibilityRow | None]]:
    """Some of the heads that stand on a primary, by generator: its own listed ones, and earlier ones measured on it."""
    measured = and_(CompatibilityRow.head == HeadRow.digest, CompatibilityRow.primary == primary)
    own = and_(HeadRow.primary == primary, HeadRow.state == "listed")
    rows = (
        select(HeadRow, CompatibilityRow)
        .outerjoin(CompatibilityRow, measured)
        .where(or_(own, CompatibilityRow.head.is_not(None)))
        .order_by(by_bytes(session, HeadRow.generator), by_bytes(session, HeadRow.version))
    )
    return [(row.HeadRow, row.CompatibilityRow) for row in session.execute(rows.limit(limit).offset(offset))]


def count_standings(session: Session, primary: Digest) -> int:
    """How many heads `standings` lists."""
    own = select(func.count()).select_from(HeadRow).where(HeadRow.primary == primary, HeadRow.state == "listed")
    measured = select(func.count()).select_from(CompatibilityRow).where(CompatibilityRow.primary == primary)
    return session.scalars(own).one() + session.scalars(measured).one()


def of_head(session: Session, head: Digest) -> Sequence[CompatibilityRow]:
    """How a head stands on every later primary that there was."""
    return session.scalars(select(CompatibilityRow).where(CompatibilityRow.head == head)).all()


def of_primary(session: Session, primary: Digest) -> Sequence[CompatibilityRow]:
    """How every earlier head stands on a primary."""
    return session.scalars(select(CompatibilityRow).where(CompatibilityRow.primary == primary)).all()


def heads_of_owner(session: Session, contributor_id: int) -> Sequence[HeadRow]:
    """One contributor's heads that a bundle holds or held until its primary went."""
    rows = select(HeadRow).where(HeadRow.contributor_id == contributor_id, HeadRow.state.in_(("listed", "obsolete")))
    return session.scalars(rows.order_by(HeadRow.generator, HeadRow.accepted.desc())).all()
