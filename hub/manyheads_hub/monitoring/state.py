"""Metrics of what the hub holds, read from the database and the signatures when somebody asks for them."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session

from manyheads_hub.bundles import service as bundles
from manyheads_hub.hub import Hub
from manyheads_hub.tables import HeadRow, JobRow, SubmissionRow, UploadRow
from manyheads_shared.errors import ManyheadsError

PREFIX = "manyheads_hub"

logger = logging.getLogger(__name__)


class HubState:
    """A Prometheus collector. A part that cannot be read is left out, and `up` of that part is 0."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """Read everything now."""
        parts: dict[str, Callable[[], Iterable[Metric]]] = {
            "database": self._from_database,
            "signatures": self._from_signatures,
        }
        up = GaugeMetricFamily(f"{PREFIX}_up", "Whether a part of the hub could be read.", labels=("part",))
        for name, read in parts.items():
            try:
                metrics = list(read())
            except (ManyheadsError, OSError, SQLAlchemyError):
                logger.warning("metrics: the %s could not be read", name, exc_info=True)
                metrics = []
            up.add_metric((name,), 1.0 if metrics else 0.0)
            yield from metrics
        yield up

    def _from_database(self) -> Iterator[Metric]:
        with self._hub.database.read() as session:
            yield _count(session, "jobs", "Jobs by kind and state.", JobRow.kind, JobRow.state)
            yield _count(session, "submissions", "Submissions by state.", SubmissionRow.state)
            yield _count(session, "heads", "Catalogued heads by state.", HeadRow.state)
            waiting = session.scalar(select(func.min(JobRow.run_after)).where(JobRow.state == "queued"))
            late = 0.0 if waiting is None else max(0.0, time.time() - waiting)
            yield _gauge("oldest_job_seconds", "How long the job that is due longest has waited.", late)
            unfinished = session.scalar(select(func.count()).select_from(UploadRow).where(UploadRow.completed.is_(None)))
            yield _gauge("uploads_unfinished", "Uploads under way or abandoned.", unfinished or 0)
            yield _gauge(
                "bundle_sequence", "The newest published bundle; 0 before the first.", bundles.latest_sequence(session) or 0
            )

    def _from_signatures(self) -> Iterator[Metric]:
        left = GaugeMetricFamily(
            f"{PREFIX}_signature_seconds_left", "Until clients refuse a role's metadata.", labels=("role",)
        )
        for expiry in self._hub.repository.check_expiry():
            left.add_metric((expiry.role,), expiry.left.total_seconds())
        yield left


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", about, value=value)


def _count(session: Session, name: str, about: str, *columns: InstrumentedAttribute[str]) -> Metric:
    """Rows of a table, by what stands in some of its columns."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", about, labels=[column.key for column in columns])
    for *values, number in session.execute(select(*columns, func.count()).group_by(*columns)):
        family.add_metric(values, number)
    return family
