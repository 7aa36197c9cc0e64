"""Whether this replica can do its work now: what a load balancer asks before it sends requests."""

import logging
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from manyheads_hub.blobs import BlobMissingError
from manyheads_hub.bundles import queries
from manyheads_hub.hub import Hub
from manyheads_hub.tables import REVISION
from manyheads_shared.errors import ManyheadsError

logger = logging.getLogger(__name__)


class NotServingError(ManyheadsError):
    """A check found what keeps the hub from serving."""


def check_readiness(hub: Hub) -> dict[str, str]:
    """Check what every request stands on; returns `ok` or what is wrong, by check. Details are for the log alone.

    The plan: (1) the database answers and has our tables; (2) the newest bundle's blob is there; (3) clients accept the
    signatures.
    """
    checks: dict[str, tuple[Callable[[Hub], None], str]] = {
        "database": (_check_database, "does not answer, or has another version's tables"),
        "blobs": (_check_blobs, "cannot be reached"),
        "signatures": (_check_signatures, "are missing or have run out"),
    }
    found = {}
    for name, (check, wrong) in checks.items():
        try:
            check(hub)
        except (ManyheadsError, OSError, SQLAlchemyError) as error:
            logger.warning("not ready: %s: %s", name, error)
            found[name] = wrong
        else:
            found[name] = "ok"
    return found


def _check_database(hub: Hub) -> None:
    if (revision := hub.database.read_revision()) != REVISION:
        raise NotServingError(f"expected tables of revision {REVISION}, got {revision}")


def _check_blobs(hub: Hub) -> None:
    with hub.database.read() as session:
        newest = queries.latest(session)
    if newest is not None and not hub.blobs.exists(newest.digest):
        raise BlobMissingError(newest.digest)


def _check_signatures(hub: Hub) -> None:
    first = hub.repository.check_expiry()[0]
    if first.left <= timedelta():
        raise NotServingError(f"{first.role} ran out on {first.expires}")
