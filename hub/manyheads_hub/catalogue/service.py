"""The catalogue: accepted heads, listed and described; and yanking."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from manyheads_hub.catalogue import queries
from manyheads_hub.errors import ConflictError, InvalidRequestError, NotFoundError
from manyheads_hub.evaluations import jobs
from manyheads_hub.tables import HeadRow
from manyheads_shared.api import CatalogueEntry, EvaluationInfo
from manyheads_shared.digest import Digest
from manyheads_shared.manifest import Generator

MAX_REASON_CHARACTERS = 500


@dataclass(frozen=True)
class PictureInfo:
    """A proof image beside its saliency: a PNG in the blob store."""

    caption: str
    logit: float
    digest: Digest


def list_entries(session: Session) -> list[CatalogueEntry]:
    """Return every catalogued head, by generator; heads that are no longer listed are among them, with their reason."""
    return [_to_entry(row) for row in queries.all_heads(session)]


def get_entry(session: Session, name: str, version: str) -> CatalogueEntry:
    """Return one catalogued head.

    Raises:
        NotFoundError: none of that name and version.
    """
    return _to_entry(_find(session, name, version))


def list_pictures(session: Session, head_digest: Digest) -> list[PictureInfo]:
    """Return a head's pictures, in order."""
    return [PictureInfo(row.caption, row.logit, row.digest) for row in queries.pictures(session, head_digest)]


def check_listed(session: Session, name: str, version: str) -> HeadRow:
    """Return a head that is listed.

    Raises:
        NotFoundError: no such head.
        ConflictError: it is not listed any more.
    """
    row = _find(session, name, version)
    if row.state != "listed":
        raise ConflictError(f"{name}@{version} is {row.state} already: {row.reason}")
    return row


def yank(session: Session, name: str, version: str, reason: str) -> int:
    """Take a head out of every later bundle, and queue the next one. It stays downloadable by digest, with the reason.

    Returns:
        The job that publishes the next bundle.

    Raises:
        NotFoundError, ConflictError: as `check_listed`.
        InvalidRequestError: no reason, or one that is too long.
    """
    row = check_listed(session, name, version)
    if not reason.strip() or len(reason) > MAX_REASON_CHARACTERS:
        raise InvalidRequestError(f"expected a reason of 1 to {MAX_REASON_CHARACTERS} characters, got {len(reason.strip())}")
    row.state, row.reason = "yanked", reason.strip()
    return jobs.enqueue(session, "publish")


def to_generator(row: HeadRow) -> Generator:
    """Return the generator of a catalogued head."""
    return Generator.model_validate({"name": row.generator, "version": row.version, "owner": row.owner, "level": row.level})


def _find(session: Session, name: str, version: str) -> HeadRow:
    row = queries.find_head(session, name, version)
    if row is None:
        raise NotFoundError(f"no head {name}@{version} in the catalogue; it lists every name@version")
    return row


def _to_entry(row: HeadRow) -> CatalogueEntry:
    return CatalogueEntry.model_validate(
        {
            "generator": to_generator(row),
            "head": row.digest,
            "primary": row.primary,
            "state": row.state,
            "reason": row.reason,
            "owner_statement": row.owner_statement,
            "hub_statement": row.hub_statement,
            "evaluation": EvaluationInfo.model_validate(row.evaluation),
            "accepted": row.accepted,
        }
    )
