"""What only the pages read from the database."""

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from manyheads_hub.tables import HeadRow, PictureRow, PrimaryRow, SubmissionRow
from manyheads_shared.digest import Digest


def owner_key(session: Session, head: Digest) -> str:
    """The id of the key that signed the owner's statement on a catalogued head."""
    return session.scalars(
        select(SubmissionRow.owner_key).join(HeadRow, HeadRow.submission_id == SubmissionRow.id).where(HeadRow.digest == head)
    ).one()


def first_bundle(session: Session, head: Digest) -> int | None:
    """The first bundle that holds a catalogued head; None while it waits for one."""
    return session.scalars(
        select(SubmissionRow.bundle_sequence)
        .join(HeadRow, HeadRow.submission_id == SubmissionRow.id)
        .where(HeadRow.digest == head)
    ).one()


def is_picture(session: Session, digest: Digest) -> bool:
    """Whether a blob is a picture of a catalogued head. Proofs and suite images are not, and never leave by this door."""
    return session.scalars(select(exists().where(PictureRow.digest == digest))).one()


def primary_titles(session: Session) -> dict[Digest, str]:
    """`name@version` of every primary, by digest."""
    rows = session.execute(select(PrimaryRow.digest, PrimaryRow.name, PrimaryRow.version))
    return {digest: f"{name}@{version}" for digest, name, version in rows}
