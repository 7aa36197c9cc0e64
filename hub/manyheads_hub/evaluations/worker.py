"""The worker: takes the next job, does it, writes the result. The hub's only way to torch, loaded with the first job.

Killed anywhere, it leaves a lease that runs out and files named by digest; whoever takes the job next does it again, and the
result is written once (`evaluations.jobs`).
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from manyheads_hub import editions, publishing
from manyheads_hub.errors import HubError, PublicationError, UnavailableError, code_of
from manyheads_hub.evaluations import assessment, jobs, settlement
from manyheads_hub.evaluations.jobs import BoundExceededError, JobKind, Lease, LeaseLostError
from manyheads_hub.evaluations.suite import Progress
from manyheads_hub.hub import Hub
from manyheads_hub.upgrades import measuring
from manyheads_shared.api import Reason, SubmissionState
from manyheads_shared.digest import Digest
from manyheads_shared.errors import ManyheadsError, NonFiniteScoreError

POLL_SECONDS = 1.0
HEARTBEATS_PER_LEASE = 3
OUTAGES = (UnavailableError, OperationalError, InterfaceError)  # the database or the storage does not answer

logger = logging.getLogger(__name__)


class StoppedError(HubError):
    """The worker was asked to stop; its job waits for the next one."""


class Worker:
    """Does the jobs of one hub, one after the other."""

    def __init__(
        self,
        hub: Hub,
        *,
        stop: threading.Event | None = None,
        on_batch: Progress | None = None,
        apart: Callable[[Lease], None] | None = None,
    ) -> None:
        """Make a worker.

        Args:
            apart: does a claimed job elsewhere (`isolation`); here unless given.
        """
        self._hub, self._stop, self._on_batch = hub, stop or threading.Event(), on_batch
        self._apart = apart

    def run(self, *, once: bool = False) -> int:
        """Work until asked to stop, or with `once` until no job is ready; return how many jobs were done."""
        done = 0
        while not self._stop.is_set():
            try:
                busy = self.run_once()
            except Exception:  # the database may be locked or the disk full: what is queued stays queued
                if once:
                    raise
                logger.exception("the worker could not reach its queue; it goes on trying")
                busy = False
            done += busy
            if once and not busy:
                break
            if not busy:
                self._stop.wait(POLL_SECONDS)
        return done

    def run_once(self, kind: JobKind | None = None) -> bool:
        """Do the next job, of one kind or any; False when none is ready."""
        with self._hub.database.write() as session:
            lease = jobs.claim(session, kind)
            if lease is not None and lease.kind == "evaluate":
                assessment.begin(session, lease.subject)
        if lease is None:
            return False
        logger.info("job %d: %s %s, attempt %d", lease.job_id, lease.kind, lease.subject, lease.attempt)
        self.do(lease)
        return True

    def do(self, lease: Lease) -> None:
        """Do a claimed job, and settle what becomes of it."""
        try:
            (self._do if self._apart is None or lease.is_exhausted else self._apart)(lease)  # to give up takes no child
        except LeaseLostError as error:
            logger.warning("%s", error)
        except StoppedError:
            self._settle(lease, None)
        except ManyheadsError as error:
            logger.warning("job %d: %s", lease.job_id, error)
            self._settle(lease, error)
        except Exception as error:
            logger.exception("job %d failed", lease.job_id)
            self._settle(lease, error)

    def _do(self, lease: Lease) -> None:
        with self._heartbeat(lease) as beat:
            if lease.kind == "evaluate":
                self._evaluate(lease, beat)
            elif lease.kind == "challenge":
                self._settle_challenge(lease, beat)
            elif lease.kind == "measure":
                self._measure(lease, beat)
            else:
                self._publish(lease, beat)

    def _evaluate(self, lease: Lease, beat: Progress) -> None:
        _refuse_exhausted(lease)
        task = assessment.prepare(self._hub, lease.subject)
        if isinstance(task, Reason):
            self._refuse(lease, task)
            return
        from manyheads_hub.evaluations.examination import examine  # noqa: PLC0415
        from manyheads_shared.compute import choose_compute  # noqa: PLC0415 - torch takes seconds to load

        try:
            examination = examine(task, choose_compute(), on_batch=beat)
        except NonFiniteScoreError as error:  # the head's: the detector's scores were finite when its bundle was made
            self._refuse(lease, Reason(code="non-finite-score", message=str(error)))
            return
        assessment.conclude(self._hub, lease, task, examination)

    def _settle_challenge(self, lease: Lease, beat: Progress) -> None:
        _refuse_exhausted(lease)
        task = settlement.prepare(self._hub, lease.subject)
        if task is None:  # nothing to measure: no answer came, or it was settled before
            settlement.expire(self._hub, lease)
            return
        from manyheads_hub.evaluations.measure import score_images  # noqa: PLC0415
        from manyheads_shared.compute import choose_compute  # noqa: PLC0415 - torch takes seconds to load

        logits = score_images(task.primary, [task.head, *task.rivals], task.images, choose_compute(), on_batch=beat)
        settlement.conclude(self._hub, lease, task, logits)

    def _measure(self, lease: Lease, beat: Progress) -> None:
        """Measure a candidate primary."""
        _refuse_exhausted(lease)
        task = measuring.prepare(self._hub, Digest(lease.subject))
        from manyheads_hub.evaluations.measure import measure_catalogue  # noqa: PLC0415
        from manyheads_shared.compute import choose_compute  # noqa: PLC0415 - torch takes seconds to load

        compute = choose_compute()
        found = [
            measure_catalogue(each.primary, each.heads, task.suite, compute, passages=each.passages, on_batch=beat).each
            for each in task.passes
        ]
        measuring.conclude(self._hub, lease, task, found)

    def _refuse(self, lease: Lease, reason: Reason) -> None:
        """Refuse a submission without figures."""
        with self._hub.database.write() as session:
            jobs.finish(session, lease)
            assessment.close(session, lease.subject, "refused", [reason])

    def _publish(self, lease: Lease, beat: Progress) -> None:
        with publishing.publishing_alone(self._hub, on_wait=lambda: beat(0, 0)) as verify:
            _refuse_exhausted(lease)  # only now: what the killed ones cut short is ended
            edition = editions.prepare(self._hub)
            from manyheads_hub.evaluations import measure  # noqa: PLC0415
            from manyheads_shared.compute import choose_compute  # noqa: PLC0415 - torch takes seconds to load

            compute = choose_compute()
            networks = edition.primary, edition.heads, edition.suite, compute
            scores = measure.measure_catalogue(*networks, passages=edition.passages, on_batch=beat)
            degraded = measure.measure_rungs(
                *networks, each=edition.policy.validity_images, passages=edition.passages, on_batch=beat
            )
            publishing.publish(self._hub, edition, scores, degraded, verify)
        with self._hub.database.write() as session:
            jobs.finish(session, lease)

    @contextmanager
    def _heartbeat(self, lease: Lease) -> Iterator[Progress]:
        """Extend the lease while the block runs; the block calls what this yields, and is stopped by it."""
        done, lost = threading.Event(), threading.Event()

        def extend() -> None:
            while not done.wait(jobs.LEASE_SECONDS / HEARTBEATS_PER_LEASE):
                try:
                    with self._hub.database.write() as session:
                        jobs.extend(session, lease)
                except LeaseLostError:
                    lost.set()
                    return
                except Exception:  # a busy database: the lease has time for another try
                    logger.warning("job %d: could not extend the lease", lease.job_id, exc_info=True)

        def beat(images: int, total: int) -> None:
            if lost.is_set():
                raise LeaseLostError(f"job {lease.job_id} was taken over by another worker")
            if self._stop.is_set():
                raise StoppedError("the worker was asked to stop")
            if self._on_batch and total:
                self._on_batch(images, total)

        thread = threading.Thread(target=extend, name=f"lease of job {lease.job_id}", daemon=True)
        thread.start()
        try:
            yield beat
        finally:
            done.set()
            thread.join()

    def _settle(self, lease: Lease, error: Exception | None) -> None:
        """Put a job back, or bury it. A database that is away is waited for: without it there is nothing else to do."""
        while True:
            try:
                with self._hub.database.write() as session:
                    _put_back(session, lease, error)
            except LeaseLostError as lost:
                logger.warning("%s", lost)
            except OUTAGES:
                if self._stop.wait(POLL_SECONDS):
                    raise
                continue
            return


def finish_job(hub: Hub, job_id: int, on_batch: Progress | None = None, *, kind: JobKind = "publish") -> None:
    """Do a job of the maintainer's, or wait for the worker that does it already. Where it gives way to its like, follow that.

    Raises:
        PublicationError: it came to nothing; the message says why.
    """
    worker = Worker(hub, on_batch=on_batch)
    while True:
        with hub.database.read() as session:
            job_id = jobs.standing_for(session, job_id)
            if not jobs.is_open(session, job_id):
                error = jobs.error_of(session, job_id)
                break
        if not worker.run_once(kind):
            time.sleep(POLL_SECONDS)
    if error is not None:
        raise PublicationError(f"{'no bundle was published' if kind == 'publish' else 'nothing was measured'}: {error}")


def _put_back(session: Session, lease: Lease, error: Exception | None) -> None:
    if error is None:
        jobs.release(session, lease)
        if lease.kind == "evaluate":
            assessment.close(session, lease.subject, "received", [])
    elif lease.kind in ("evaluate", "challenge"):
        _fail_evaluation(session, lease, error)
    elif lease.kind == "measure":
        measuring.fail(session, lease, describe(error), again=_try_what_may_pass(session, lease, error))
    else:
        _fail_publication(session, lease, error)


def _refuse_exhausted(lease: Lease) -> None:
    if lease.is_exhausted:
        raise HubError("the worker was killed by this job, or during it, too often")


def _fail_evaluation(session: Session, lease: Lease, error: Exception) -> None:
    """Try again, or fail the submission. What went wrong lies in the hub; its owner is not shown the hub's folders."""
    code = code_of(error) if isinstance(error, ManyheadsError) else "internal"
    again = _try_again(session, lease, error)
    what = "it will try again" if again else "it has given up; its maintainer can see why, submit again later"
    reason = Reason(code=code, message=f"the hub could not evaluate the head (attempt {lease.attempt}): {what}")
    waiting: SubmissionState = "received" if lease.kind == "evaluate" else "challenged"
    assessment.close(session, lease.subject, waiting if again else "failed", [reason])


def _fail_publication(session: Session, lease: Lease, error: Exception) -> None:
    """Try again, or give up. Accepted heads stay accepted."""
    if _try_what_may_pass(session, lease, error):
        return
    if not jobs.is_waiting(session, "publish"):  # otherwise the primary was added since, and has its own try
        publishing.withdraw_candidate(session)


def _try_what_may_pass(session: Session, lease: Lease, error: Exception) -> bool:
    """Try again what may pass by itself; bury what a maintainer must see to, and return False."""
    if isinstance(error, (BoundExceededError, *OUTAGES)) or not isinstance(error, ManyheadsError):
        return _try_again(session, lease, error)
    jobs.bury(session, lease, describe(error))
    return False


def _try_again(session: Session, lease: Lease, error: Exception) -> bool:
    """Put a job back; False when its attempts are used up. An outage is not the job's fault, and uses up none."""
    if isinstance(error, OUTAGES):
        jobs.postpone(session, lease, describe(error))
        return True
    return jobs.retry(session, lease, describe(error))


def describe(error: Exception) -> str:
    """Return an error for the maintainer."""
    return str(error) if isinstance(error, ManyheadsError) else f"{type(error).__name__}: {error}"
