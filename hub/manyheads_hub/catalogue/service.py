"""The catalogue: accepted heads, listed and described. What becomes of them is for `catalogue.lifecycle`."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from manyheads_hub.catalogue import queries
from manyheads_hub.catalogue.lifecycle import get_head
from manyheads_hub.catalogue.search import Search
from manyheads_hub.tables import HeadRow
from manyheads_shared.api import CatalogueEntry, EvaluationInfo
from manyheads_shared.digest import Digest
from manyheads_shared.manifest import Generator


@dataclass(frozen=True)
class PictureInfo:
    """A proof image beside its saliency: a PNG in the blob store."""

    caption: str
    logit: float
    digest: Digest


def list_entries(session: Session, search: Search, limit: int, offset: int = 0) -> list[CatalogueEntry]:
    """Return some of the heads that are looked for, by generator; of those no longer listed, with the reason."""
    return [to_entry(row) for row in queries.some_heads(session, search, limit, offset)]


def count_entries(session: Session, search: Search) -> int:
    """Return how many heads are what is looked for."""
    return queries.count_heads(session, search)


def list_measured_on(session: Session, name: str, version: str) -> list[CatalogueEntry]:
    """Return the other listed heads on a head's primary that were measured on its generator's images.

    Raises:
        NotFoundError: no head of that name and version.
    """
    return [to_entry(row) for row in queries.measured_on(session, get_head(session, name, version))]


def get_entry(session: Session, name: str, version: str) -> CatalogueEntry:
    """Return one catalogued head.

    Raises:
        NotFoundError: none of that name and version.
    """
    return to_entry(get_head(session, name, version))


def list_pictures(session: Session, head_digest: Digest) -> list[PictureInfo]:
    """Return a head's pictures, in order."""
    return [PictureInfo(row.caption, row.logit, row.digest) for row in queries.pictures(session, head_digest)]


def to_generator(row: HeadRow) -> Generator:
    """Return the generator of a catalogued head."""
    return Generator.model_validate({"name": row.generator, "version": row.version, "owner": row.owner, "level": row.level})


def to_entry(row: HeadRow) -> CatalogueEntry:
    """Return a catalogued head as the API describes it."""
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
