"""Which head to take for a generator on a primary. Nothing is chosen silently: what is newer, or why none fits, is said."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from manyheads_hub.catalogue import queries
from manyheads_hub.catalogue.service import to_entry
from manyheads_hub.errors import NoFittingHeadError, NotFoundError
from manyheads_hub.primaries import service as primaries
from manyheads_hub.tables import HeadRow
from manyheads_hub.upgrades import queries as upgrades
from manyheads_shared.api import Resolution
from manyheads_shared.digest import Digest

USABLE = ("listed", "obsolete")  # obsolete: its primary is not current any more, and on that primary it is as good as it was
NAMED = 5  # of the heads that do not fit


def resolve(session: Session, generator: str, primary: Digest | None) -> Resolution:
    """Return the head of a generator to take on a primary: the listed one, or the last that was while the primary was current.

    Args:
        primary: None: the current one.

    Raises:
        NotFoundError: no such primary, or no head of that generator was ever accepted.
        NoFittingHeadError: there are heads, and none that may be used on this primary.
    """
    on = primaries.get_published(session, primary) if primary else primaries.get_current_or_refuse(session)
    heads = queries.heads_of(session, generator)
    if not heads:
        raise NotFoundError(f"no head of {generator} in the catalogue; it lists every name")
    fitting = [row for state in USABLE for row in heads if row.state == state and row.primary == on.digest]
    for row, standing in upgrades.carried_heads(session, on.digest):
        if row.generator == generator and not fitting:
            made_for = primaries.get_published(session, row.primary).title
            return Resolution(
                head=to_entry(row), note=f"made for primary {made_for}; bundles of {on.title} run it {standing.way}"
            )
    if not fitting:
        raise NoFittingHeadError(f"no head of {generator} can be used on primary {on.title}: {_tell(session, heads)}")
    best = fitting[0]
    newer = heads[: heads.index(best)]
    return Resolution(head=to_entry(best), note=_tell(session, newer) if newer else best.reason)


def _tell(session: Session, heads: Sequence[HeadRow]) -> str:
    """Say of each head why it is not the one."""
    said = [f"{row.generator}@{row.version} {_why(session, row)}" for row in heads[:NAMED]]
    if len(heads) > NAMED:
        said.append(f"and {len(heads) - NAMED} more")
    return "; ".join(said)


def _why(session: Session, row: HeadRow) -> str:
    if row.state in USABLE:
        return f"stands on primary {primaries.get_published(session, row.primary).title}"
    return f"is {row.state} ({row.reason})" if row.reason else f"is {row.state}"
