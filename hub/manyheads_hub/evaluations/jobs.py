"""The queue: rows in the hub's own database, written in the transaction that makes the work necessary.

At least once, and its result once: a job is *leased*, the lease is extended while the work goes on, and whoever finishes it
shows the lease's token in the same transaction that writes the result. A worker that was killed leaves a lease that runs out;
one that merely stood still finds its token replaced, and its result is not written (`LeaseLostError`).
"""

import secrets
import time
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from manyheads_hub.tables import JobRow
from manyheads_shared import clock
from manyheads_shared.errors import ManyheadsError

JobKind = Literal["evaluate", "challenge", "measure", "publish"]

_KINDS: dict[str, JobKind] = {kind: kind for kind in get_args(JobKind)}

LEASE_SECONDS = 30.0  # how long a killed worker's job waits for the next worker
MAX_ATTEMPTS = 3  # then the job is dead: it fails, or kills its worker, whatever we do
RETRY_SECONDS = (5.0, 30.0)  # after the first failure, after the second
OUTAGE_SECONDS = 5.0  # until a job is tried again that the database or the storage failed


class LeaseLostError(ManyheadsError):
    """Another worker has taken over the job; what this one computed must not be written."""


class BoundExceededError(ManyheadsError):
    """A job used more than it may, or its process died: another try may do better."""


@dataclass(frozen=True)
class Lease:
    """A claim on one job."""

    job_id: int
    kind: JobKind
    subject: str
    token: str
    attempt: int  # 1, 2, 3 …

    @property
    def is_exhausted(self) -> bool:
        """Whether the job has used up its attempts already: every one before killed its worker."""
        return self.attempt > MAX_ATTEMPTS


def enqueue(session: Session, kind: JobKind, subject: str = "", *, after: float = 0.0) -> int:
    """Queue a job and return its number. One that waits already is enough; one that runs may not have seen what is new.

    Args:
        after: seconds from now before which it is not done. One that waits longer is brought forward.
    """
    run_after = time.time() + after
    waiting = _waiting(session, kind, subject)
    if waiting is not None:
        row = session.get_one(JobRow, waiting)
        row.run_after = min(row.run_after, run_after) if after == 0.0 and row.attempts == 0 else row.run_after
        return waiting
    row = JobRow(kind=kind, subject=subject, state="queued", attempts=0, run_after=run_after, created=clock.now())
    session.add(row)
    session.flush()
    return row.id


def claim(session: Session, kind: JobKind | None = None) -> Lease | None:
    """Lease the next job, first come, first served: one that waits, or one whose lease has run out.

    Args:
        kind: only a job of this kind.
    """
    now = time.time()
    query = select(JobRow).where(
        or_(
            (JobRow.state == "queued") & (JobRow.run_after <= now),
            (JobRow.state == "leased") & (JobRow.lease_until < now),
        )
    )
    if kind is not None:
        query = query.where(JobRow.kind == kind)
    row = session.scalars(query.order_by(JobRow.id).limit(1).with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    token = secrets.token_hex(8)
    row.state, row.lease_token, row.lease_until = "leased", token, now + LEASE_SECONDS
    row.attempts += 1
    return Lease(row.id, _KINDS[row.kind], row.subject, token, row.attempts)


def extend(session: Session, lease: Lease) -> None:
    """Extend a lease from now on.

    Raises:
        LeaseLostError: another worker holds it.
    """
    _holder(session, lease).lease_until = time.time() + LEASE_SECONDS


def finish(session: Session, lease: Lease) -> None:
    """Mark a job done, in the transaction that writes its result.

    Raises:
        LeaseLostError: another worker holds it; the transaction must not be committed.
    """
    _close(_holder(session, lease), "done", None)


def retry(session: Session, lease: Lease, error: str) -> bool:
    """Put a failed job back, to be tried again later; False when its attempts are used up and it is dead.

    Raises:
        LeaseLostError: another worker holds it.
    """
    row = _holder(session, lease)
    if lease.attempt >= MAX_ATTEMPTS:
        _close(row, "dead", error)
        return False
    _requeue(session, row, after=RETRY_SECONDS[lease.attempt - 1], error=error)
    return True


def postpone(session: Session, lease: Lease, error: str) -> None:
    """Put back a job that could not be done while the database or the storage was away; the attempt does not count.

    Raises:
        LeaseLostError: another worker holds it.
    """
    row = _holder(session, lease)
    row.attempts -= 1
    _requeue(session, row, after=OUTAGE_SECONDS, error=error)


def bury(session: Session, lease: Lease, error: str) -> None:
    """Mark a job dead: trying again would not help.

    Raises:
        LeaseLostError: another worker holds it.
    """
    _close(_holder(session, lease), "dead", error)


def release(session: Session, lease: Lease) -> None:
    """Put a job back as if it had not been claimed: the worker is asked to stop.

    Raises:
        LeaseLostError: another worker holds it.
    """
    row = _holder(session, lease)
    row.attempts -= 1
    _requeue(session, row, after=0.0, error=row.error)


def withdraw(session: Session, kind: JobKind, subject: str, error: str) -> None:
    """Let a job that waits never be done."""
    waiting = _waiting(session, kind, subject)
    if waiting is not None:
        _close(session.get_one(JobRow, waiting), "dead", error)


def is_waiting(session: Session, kind: JobKind, subject: str = "") -> bool:
    """Whether such a job waits."""
    return _waiting(session, kind, subject) is not None


def standing_for(session: Session, job_id: int) -> int:
    """The job that does a job's work: itself, or the one like it that it gave way to."""
    row = session.get_one(JobRow, job_id)
    while row.state == "superseded":
        later = select(JobRow).where(JobRow.kind == row.kind, JobRow.subject == row.subject, JobRow.id > row.id)
        row = session.scalars(later.order_by(JobRow.id).limit(1)).one()
    return row.id


def is_open(session: Session, job_id: int) -> bool:
    """Whether a job waits or runs."""
    return session.scalars(select(JobRow.state).where(JobRow.id == job_id)).one() in ("queued", "leased")


def error_of(session: Session, job_id: int) -> str | None:
    """What went wrong with a job that is dead; None for any other."""
    return session.scalars(select(JobRow.error).where(JobRow.id == job_id, JobRow.state == "dead")).one_or_none()


def last_error(session: Session, subject: str) -> str | None:
    """What went wrong at the last attempt of a submission's newest job."""
    query = select(JobRow.error).where(JobRow.subject == subject).order_by(JobRow.id.desc()).limit(1)
    return session.scalars(query).one_or_none()


def was_exhausted(session: Session, kind: JobKind) -> bool:
    """Whether the newest job of a kind was given up because each attempt before had killed its worker."""
    row = session.scalars(select(JobRow).where(JobRow.kind == kind).order_by(JobRow.id.desc()).limit(1)).one_or_none()
    return row is not None and row.state == "dead" and row.attempts > MAX_ATTEMPTS


def queue_position(session: Session, kind: JobKind, subject: str) -> int | None:
    """How many jobs of its kind come before a job, and itself; None when it does not wait."""
    own = _waiting(session, kind, subject)
    if own is None:
        return None
    before = select(func.count()).where(JobRow.kind == kind, JobRow.state.in_(("queued", "leased")), JobRow.id < own)
    return 1 + session.scalars(before).one()


def _waiting(session: Session, kind: str, subject: str) -> int | None:
    return session.scalars(
        select(JobRow.id).where(JobRow.kind == kind, JobRow.subject == subject, JobRow.state == "queued")
    ).one_or_none()


def _requeue(session: Session, row: JobRow, *, after: float, error: str | None) -> None:
    """Queue a leased job again, unless its like was queued meanwhile: that one then stands for both."""
    if _waiting(session, row.kind, row.subject) is not None:
        _close(row, "superseded", error)
        return
    row.state, row.run_after, row.error = "queued", time.time() + after, error
    row.lease_token = row.lease_until = None


def _close(row: JobRow, state: str, error: str | None) -> None:
    row.state, row.error, row.finished = state, error, clock.now()
    row.lease_token = row.lease_until = None


def _holder(session: Session, lease: Lease) -> JobRow:
    row = session.get(JobRow, lease.job_id)
    if row is None or row.lease_token != lease.token:
        raise LeaseLostError(f"job {lease.job_id} was taken over by another worker; this one's result is not used")
    return row
