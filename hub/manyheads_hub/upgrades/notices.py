"""How heads stand on primaries, as the API tells it: the compatibility matrix, and notices for owners."""

from sqlalchemy.orm import Session

from manyheads_hub.auth import Caller
from manyheads_hub.catalogue.service import to_generator
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.primaries import service as primaries_service
from manyheads_hub.tables import HeadRow
from manyheads_hub.upgrades import queries
from manyheads_hub.upgrades.tables import CompatibilityRow
from manyheads_shared.api import CompatibilityInfo, Notice
from manyheads_shared.digest import Digest


def list_compatibility(session: Session, primary: Digest, limit: int, offset: int = 0) -> list[CompatibilityInfo]:
    """Return some of a primary's column of the matrix: its own listed heads, and every earlier one that was measured on it.

    Raises:
        NotFoundError: no such primary was published.
    """
    primaries_service.get_published(session, primary)
    return [_cell(head, primary, standing) for head, standing in queries.standings(session, primary, limit, offset)]


def count_compatibility(session: Session, primary: Digest) -> int:
    """Return how many heads stand on a primary, in whatever way."""
    return queries.count_standings(session, primary)


def list_notices(session: Session, caller: Caller) -> list[Notice]:
    """Return what the present primary means for a contributor's heads that were made for an earlier one.

    A head whose generator has another one on the present primary needs nothing more.
    """
    present = primaries.current(session)
    if present is None:
        return []
    rows = [row for row in queries.heads_of_owner(session, caller.contributor_id) if row.generator in caller.generators]
    moved = {row.generator for row in rows if row.primary == present.digest and row.state == "listed"}
    notices: dict[str, Notice] = {}
    for row in rows:  # of each generator the newest
        if row.generator not in moved | notices.keys() and row.primary != present.digest:
            standing = next((each for each in queries.of_head(session, row.digest) if each.primary == present.digest), None)
            notices[row.generator] = _notice(row, Digest(present.digest), standing)
    return list(notices.values())


def _cell(head: HeadRow, primary: Digest, standing: CompatibilityRow | None) -> CompatibilityInfo:
    return CompatibilityInfo.model_validate(
        {
            "generator": to_generator(head),
            "head": head.digest,
            "belongs_to": head.primary,
            "primary": primary,
            "compatibility": standing.compatibility if standing else "native",
            "way": standing.way if standing else None,
            "loss": standing.loss if standing else None,
            "until": standing.until if standing else None,
        }
    )


def _notice(row: HeadRow, primary: Digest, standing: CompatibilityRow | None) -> Notice:
    title, way = f"{row.generator}@{row.version}", standing.way if standing and row.state == "listed" else None
    if way == "straight":
        message = (
            f"{title} goes on working on the new primary as it is. To make it the primary's own: "
            "`manyheads-contributor migrate --accept`."
        )
    elif way == "beside" and standing is not None:
        message = (
            f"{title} is run on its old primary beside the new one until {standing.until}, then left out. Train it again "
            "before: `manyheads-contributor migrate`."
        )
    else:
        message = f"{title} is in no new bundle: it is another primary's. Train it again: `manyheads-contributor migrate`."
    return Notice.model_validate(
        {
            "generator": to_generator(row),
            "head": row.digest,
            "belongs_to": row.primary,
            "primary": primary,
            "compatibility": standing.compatibility if standing else "obsolete",
            "way": way,
            "until": standing.until if standing and way else None,
            "message": message,
        }
    )
