"""A job in a process of its own: it does what a worker does, is ended when it uses too much, and dies with its worker."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from manyheads_hub.evaluations import jobs
from manyheads_hub.evaluations.isolation import Bounds, Isolation, read_resident_bytes
from manyheads_hub.evaluations.jobs import BoundExceededError, Lease
from manyheads_hub.evaluations.worker import Worker
from manyheads_hub.hub import Hub
from manyheads_hub.settings import Settings
from manyheads_hub.tables import JobRow
from tests.support.live_hub import Owner, find, let_leases_run_out, package, submit, wait_until
from tests.support.makers import make_generator

ENOUGH = Bounds(seconds=300, cpu_seconds=300, memory_bytes=8 << 30)


def isolated(hub: Hub, bounds: Bounds, stop: threading.Event | None = None) -> Worker:
    stop = stop or threading.Event()
    return Worker(hub, stop=stop, apart=Isolation(hub.settings.folder, bounds, "text", stop))


def claim(hub: Hub) -> Lease:
    with hub.database.write() as session:
        lease = jobs.claim(session)
    assert lease is not None
    return lease


def test_a_submission_is_evaluated_and_published_by_children_and_the_worker_loads_no_torch(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    code = (
        "import sys, threading; from pathlib import Path; from manyheads_hub.serving import work;"
        "done = work(Path(sys.argv[1]), once=True, log='text'); sys.exit(10 * ('torch' in sys.modules) + done)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(hub.settings.folder)], check=False, stderr=subprocess.PIPE)
    assert done.returncode == 2, done.stderr.decode()
    assert (find(hub, submission).state, find(hub, submission).bundle_sequence) == ("accepted", 2)


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        (Bounds(seconds=0, cpu_seconds=300, memory_bytes=8 << 30), "it took more than 0 s"),
        (Bounds(seconds=300, cpu_seconds=1, memory_bytes=8 << 30), "more than 1 s of processor time"),
        (Bounds(seconds=300, cpu_seconds=300, memory_bytes=64 << 20), "of memory, more than 64 MB"),
    ],
    ids=["time", "processor", "memory"],
)
def test_a_job_over_a_bound_is_ended_and_tried_again(hub: Hub, ada: Owner, bounds: Bounds, reason: str) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    assert isolated(hub, bounds).run_once()
    assert (find(hub, submission).state, [r.code for r in find(hub, submission).reasons]) == ("received", ["bound-exceeded"])
    with hub.database.read() as session:
        assert reason in (jobs.last_error(session, submission) or "")
    let_leases_run_out(hub)
    isolated(hub, ENOUGH).run_once()
    assert find(hub, submission).state == "accepted"


def test_a_job_whose_process_cannot_reach_the_database_waits_and_loses_no_attempt(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    settings = Settings.read(hub.settings.folder)
    replace(settings, database="postgresql://hub@127.0.0.1:1/lab").write()
    assert isolated(hub, ENOUGH).run_once()
    assert find(hub, submission).state == "received"
    settings.write()
    let_leases_run_out(hub)
    isolated(hub, ENOUGH).run_once()
    assert find(hub, submission).state == "accepted"
    with hub.database.read() as session:
        assert session.scalars(select(JobRow.attempts).where(JobRow.subject == submission)).one() == 1


def test_a_job_that_always_uses_too_much_ends_and_its_owner_is_told(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    for _ in range(jobs.MAX_ATTEMPTS):
        assert isolated(hub, Bounds(0, 300, 8 << 30)).run_once()
        let_leases_run_out(hub)
    assert (find(hub, submission).state, isolated(hub, ENOUGH).run_once()) == ("failed", False)


def test_a_worker_asked_to_stop_lets_its_child_put_the_job_back(hub: Hub, ada: Owner) -> None:
    submission, stop = submit(hub, ada, package(ada, make_generator("alpha"))), threading.Event()
    thread = threading.Thread(target=isolated(hub, ENOUGH, stop).run_once)
    thread.start()
    wait_until(lambda: find(hub, submission).state == "evaluating")
    stop.set()
    thread.join(60)
    with hub.database.read() as session:
        assert "leased" not in set(session.scalars(select(JobRow.state)))
    assert find(hub, submission).state in ("received", "accepted")  # accepted, if it was nearly done


def test_a_worker_asked_to_stop_before_its_child_listens_takes_no_attempt_from_the_job(hub: Hub, ada: Owner) -> None:
    submission, stop = submit(hub, ada, package(ada, make_generator("alpha"))), threading.Event()
    stop.set()
    isolated(hub, ENOUGH, stop).run_once()  # the child is still importing when it is asked
    with hub.database.read() as session:
        (job,) = session.scalars(select(JobRow).where(JobRow.kind == "evaluate"))
    assert (job.state, job.attempts, job.error) == ("queued", 0, None)
    assert (find(hub, submission).state, find(hub, submission).reasons) == ("received", [])


def test_a_child_dies_with_its_worker(hub: Hub, ada: Owner) -> None:
    submit(hub, ada, package(ada, make_generator("alpha")))
    code = (
        "import sys; from pathlib import Path; from manyheads_hub.serving import work;"
        "work(Path(sys.argv[1]), once=True, log='text')"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, str(hub.settings.folder)], stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
    wait_until(lambda: children.read_text().split())
    (child,) = map(int, children.read_text().split())
    wait_until(lambda: read_resident_bytes(child) > 300 << 20)  # it has torch, and so is at its job
    worker.kill()
    worker.wait()
    wait_until(lambda: read_resident_bytes(child) == 0, seconds=10)


def test_a_process_that_dies_of_a_signal_is_told(hub: Hub) -> None:
    isolation = Isolation(hub.settings.folder, ENOUGH, "text", threading.Event())
    lease = Lease(1, "publish", "", "no such token", 1)

    def kill_first_child() -> None:
        children = Path(f"/proc/{os.getpid()}/task/{threading.main_thread().native_id}/children")
        wait_until(lambda: children.read_text().split())
        time.sleep(0.2)
        for child in children.read_text().split():
            if b"manyheads_hub.evaluations.isolation" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGSEGV)

    killer = threading.Thread(target=kill_first_child)
    killer.start()
    with pytest.raises(BoundExceededError, match="its process died of SIGSEGV"):
        isolation(lease)
    killer.join()
