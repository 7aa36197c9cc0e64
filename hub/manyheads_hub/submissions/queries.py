"""What the submissions' slice reads from the database."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from manyheads_hub.tables import OfferRow, SubmissionRow, UploadRow
from manyheads_shared.digest import Digest

WAITING = ("received", "evaluating", "challenged")


def some(session: Session, limit: int | None, offset: int = 0, *, waiting: bool | None = None) -> Sequence[SubmissionRow]:
    """Some submissions, newest first: any, those that wait, or those decided."""
    query = select(SubmissionRow).order_by(SubmissionRow.created.desc(), SubmissionRow.id).limit(limit).offset(offset)
    if waiting is not None:
        query = query.where(SubmissionRow.state.in_(WAITING) if waiting else SubmissionRow.state.not_in(WAITING))
    return session.scalars(query).all()


def count(session: Session) -> int:
    """How many submissions there are."""
    return session.scalars(select(func.count()).select_from(SubmissionRow)).one()


def of_contributor(session: Session, contributor_id: int) -> Sequence[SubmissionRow]:
    """One contributor's submissions, newest first."""
    return session.scalars(
        select(SubmissionRow)
        .where(SubmissionRow.contributor_id == contributor_id)
        .order_by(SubmissionRow.created.desc(), SubmissionRow.id)
    ).all()


def find(session: Session, submission_id: str) -> SubmissionRow | None:
    """One submission."""
    return session.get(SubmissionRow, submission_id)


def of_generator_version(session: Session, name: str, version: str) -> Sequence[SubmissionRow]:
    """Every submission of one name@version."""
    return session.scalars(select(SubmissionRow).where(SubmissionRow.generator == name, SubmissionRow.version == version)).all()


def count_since(session: Session, contributor_id: int, moment: str) -> int:
    """How many submissions a contributor has made since a moment."""
    query = select(func.count()).where(SubmissionRow.contributor_id == contributor_id, SubmissionRow.created >= moment)
    return session.scalars(query).one()


def count_offers(session: Session, contributor_id: int, since: str) -> int:
    """How many offers a contributor has made since a moment."""
    made = OfferRow.contributor_id == contributor_id, OfferRow.made >= since
    return session.scalars(select(func.count()).where(*made)).one()


def forget_offers_before(session: Session, moment: str) -> None:
    """Forget every offer that was made before a moment."""
    session.execute(delete(OfferRow).where(OfferRow.made < moment))


def uploaded(session: Session, contributor_id: int, digests: Sequence[Digest]) -> set[Digest]:
    """Which of some objects a contributor has uploaded whole."""
    query = select(UploadRow.digest).where(
        UploadRow.contributor_id == contributor_id, UploadRow.digest.in_(digests), UploadRow.completed.is_not(None)
    )
    return set(session.scalars(query))
