"""The queue: first come, first served; a lease that runs out; a token that keeps a late worker from writing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, update

from manyheads_hub.database import Database
from manyheads_hub.evaluations import jobs
from manyheads_hub.evaluations.jobs import Lease, LeaseLostError
from manyheads_hub.migrations.run import upgrade
from manyheads_hub.tables import JobRow
from tests.support.grounds import DATABASES, new_database


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = new_database(request.param, tmp_path)
    upgrade(database)
    yield database
    database.close()


def enqueue(database: Database, *subjects: str) -> None:
    with database.write() as session:
        for subject in subjects:
            jobs.enqueue(session, "evaluate", subject)


def claim(database: Database) -> Lease | None:
    with database.write() as session:
        return jobs.claim(session)


def claim_one(database: Database) -> Lease:
    lease = claim(database)
    assert lease is not None
    return lease


def let_leases_run_out(database: Database) -> None:
    with database.write() as session:
        session.execute(update(JobRow).values(lease_until=0.0, run_after=0.0))


def test_jobs_are_done_in_the_order_they_came(database: Database) -> None:
    enqueue(database, "a", "b")
    assert [claim_one(database).subject, claim_one(database).subject, claim(database)] == ["a", "b", None]


def test_a_job_that_waits_already_is_enough(database: Database) -> None:
    enqueue(database, "a", "a")
    assert claim_one(database).subject == "a"
    assert claim(database) is None


def test_a_job_that_runs_may_be_queued_again(database: Database) -> None:
    enqueue(database, "a")
    claim_one(database)
    enqueue(database, "a")
    assert claim_one(database).attempt == 1


def test_a_finished_job_is_not_done_again(database: Database) -> None:
    enqueue(database, "a")
    lease = claim_one(database)
    with database.write() as session:
        jobs.finish(session, lease)
    let_leases_run_out(database)
    assert claim(database) is None


def test_a_killed_workers_job_is_taken_over_when_its_lease_runs_out(database: Database) -> None:
    enqueue(database, "a")
    first = claim_one(database)
    assert claim(database) is None
    let_leases_run_out(database)
    second = claim_one(database)
    assert (second.job_id, second.attempt) == (first.job_id, 2)


def test_an_extended_lease_is_not_taken_over(database: Database) -> None:
    enqueue(database, "a")
    lease = claim_one(database)
    let_leases_run_out(database)
    with database.write() as session:
        jobs.extend(session, lease)
    assert claim(database) is None


@pytest.mark.parametrize("late", [jobs.finish, jobs.extend, jobs.release, lambda s, lease: jobs.retry(s, lease, "late")])
def test_a_worker_that_lost_its_lease_writes_nothing(database: Database, late: object) -> None:
    enqueue(database, "a")
    first = claim_one(database)
    let_leases_run_out(database)
    second = claim_one(database)
    with pytest.raises(LeaseLostError), database.write() as session:
        late(session, first)  # type: ignore[operator]
    with database.write() as session:
        jobs.finish(session, second)


def test_a_job_that_fails_three_times_is_dead_and_says_why(database: Database) -> None:
    enqueue(database, "a")
    for expected in (True, True, False):
        lease = claim_one(database)
        with database.write() as session:
            assert jobs.retry(session, lease, f"attempt {lease.attempt}") is expected
        let_leases_run_out(database)
    assert claim(database) is None
    with database.read() as session:
        assert jobs.error_of(session, lease.job_id) == "attempt 3"


def test_a_failed_job_waits_before_it_is_tried_again(database: Database) -> None:
    enqueue(database, "a")
    lease = claim_one(database)
    with database.write() as session:
        jobs.retry(session, lease, "no space")
    assert claim(database) is None


def test_a_job_that_killed_its_worker_three_times_is_exhausted(database: Database) -> None:
    enqueue(database, "a")
    for expected in (False, False, False, True):
        assert claim_one(database).is_exhausted is expected
        let_leases_run_out(database)


def test_a_released_job_has_lost_no_attempt(database: Database) -> None:
    enqueue(database, "a")
    lease = claim_one(database)
    with database.write() as session:
        jobs.release(session, lease)
    assert claim_one(database).attempt == 1


def test_an_outage_costs_a_job_no_attempt_but_a_moment(database: Database) -> None:
    enqueue(database, "a")
    for _ in range(2 * jobs.MAX_ATTEMPTS):
        lease = claim_one(database)
        with database.write() as session:
            jobs.postpone(session, lease, "the bucket is away")
        assert (lease.attempt, claim(database)) == (1, None)
        let_leases_run_out(database)


def test_a_failed_job_gives_way_to_its_like_that_was_queued_meanwhile(database: Database) -> None:
    enqueue(database, "a")
    lease = claim_one(database)
    enqueue(database, "a")
    with database.write() as session:
        assert jobs.retry(session, lease, "no space")
    later = claim_one(database)
    assert later.job_id != lease.job_id
    assert claim(database) is None
    with database.read() as session:
        assert jobs.standing_for(session, lease.job_id) == later.job_id == jobs.standing_for(session, later.job_id)


def test_the_position_in_the_queue_counts_those_before(database: Database) -> None:
    enqueue(database, "a", "b", "c")
    claim_one(database)
    with database.read() as session:
        assert [jobs.queue_position(session, "evaluate", subject) for subject in "abc"] == [None, 2, 3]


def test_two_workers_never_get_the_same_job(database: Database) -> None:
    enqueue(database, *(str(i) for i in range(60)))

    def drain(_: int) -> list[str]:
        found = []
        while (lease := claim(database)) is not None:
            found.append(lease.subject)
        return found

    with ThreadPoolExecutor(4) as pool:
        claimed = [subject for found in pool.map(drain, range(4)) for subject in found]
    assert sorted(claimed, key=int) == [str(i) for i in range(60)]
    with database.read() as session:
        assert set(session.scalars(select(JobRow.attempts))) == {1}
