"""The worker: what becomes of a submission, whatever happens to the worker."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from sqlalchemy import func, select, update

from manyheads_hub.catalogue import service as catalogue
from manyheads_hub.catalogue.search import Search
from manyheads_hub.evaluations import jobs
from manyheads_hub.evaluations.policy import Policy, write_policy
from manyheads_hub.evaluations.worker import Worker
from manyheads_hub.hub import Hub
from manyheads_hub.serving import do_chores
from manyheads_hub.storage.location import S3Location
from manyheads_hub.storage.s3 import S3Storage
from manyheads_hub.tables import HeadRow, SubmissionRow
from manyheads_shared.artifact import MANIFEST_KEY, read_head_manifest, read_primary
from tests.support.live_hub import Owner, find, let_leases_run_out, package, publish_primary, submit, work
from tests.support.makers import TIME, make_generator, make_head_bytes
from tests.support.world import draw_proofs, trained_head, trained_primary

ALPHA = make_generator("alpha")


def accepted_heads(hub: Hub) -> int:
    with hub.database.read() as session:
        return session.scalars(select(func.count()).select_from(HeadRow)).one()


def last_error(hub: Hub, submission: str) -> str | None:
    with hub.database.read() as session:
        return jobs.last_error(session, submission)


def test_an_accepted_head_has_figures_a_statement_and_pictures(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, ALPHA))
    work(hub)
    info = find(hub, submission)
    assert info.evaluation is not None
    assert (info.state, info.evaluation.recall.hits) == ("accepted", 28)
    with hub.database.read() as session:
        entry = catalogue.get_entry(session, "alpha", "1")
        pictures = catalogue.list_pictures(session, entry.head)
    assert hub.blobs.exists(entry.hub_statement)
    assert [hub.blobs.read(picture.digest)[1:4] for picture in pictures] == [b"PNG"] * 8


def test_a_head_that_learnt_nothing_is_refused_with_reasons_and_not_catalogued(hub: Hub, ada: Owner) -> None:
    head = make_head_bytes(read_primary(trained_primary()), ALPHA)
    submission = submit(hub, ada, package(ada, ALPHA, head=head))
    assert work(hub) == 1  # nothing follows from a refusal
    info = find(hub, submission)
    assert (info.state, accepted_heads(hub)) == ("refused", 0)
    assert [reason.code for reason in info.reasons] == ["constant-head"]
    assert info.evaluation is None  # the quick examination suffices


def test_a_head_whose_scores_overflow_is_refused_at_once(hub: Hub, ada: Owner) -> None:
    sound = trained_head(ALPHA)
    huge = {name: np.full_like(tensor, 3e38) for name, tensor in safetensors.numpy.load(sound).items()}
    head = safetensors.numpy.save(huge, metadata={MANIFEST_KEY: read_head_manifest(sound).to_bytes().decode()})
    submission = submit(hub, ada, package(ada, ALPHA, head=head))
    assert work(hub) == 1
    info = find(hub, submission)
    assert (info.state, [reason.code for reason in info.reasons]) == ("refused", ["non-finite-score"])
    assert "train it again" in info.reasons[0].message


def test_a_refused_head_may_come_again_with_more_proofs(hub: Hub, ada: Owner) -> None:
    few = submit(hub, ada, package(ada, ALPHA, proofs=draw_proofs("alpha", 50)))
    write_policy(hub.settings.policy, Policy.new(min_proofs=28))  # a maintainer asks for more meanwhile
    work(hub)
    assert [reason.code for reason in find(hub, few).reasons] == ["too-few-proofs"]
    enough = submit(hub, ada, package(ada, ALPHA))
    work(hub)
    assert (find(hub, few).state, find(hub, enough).state) == ("refused", "accepted")


def test_a_killed_workers_submission_is_evaluated_by_the_next(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, ALPHA))
    with hub.database.write() as session:
        assert jobs.claim(session) is not None  # and its worker is never heard of again
    assert work(hub) == 0
    let_leases_run_out(hub)
    work(hub)
    assert (find(hub, submission).state, accepted_heads(hub)) == ("accepted", 1)


def test_a_worker_that_stood_still_writes_nothing_over_its_successor(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, ALPHA))
    stalled, resume = threading.Event(), threading.Event()

    def stand_still(images: int, total: int) -> None:
        if images == total:
            stalled.set()
            resume.wait(120)

    slow = threading.Thread(target=Worker(hub, on_batch=stand_still).run_once)
    slow.start()
    assert stalled.wait(120)
    let_leases_run_out(hub)
    work(hub)
    before = find(hub, submission)
    resume.set()
    slow.join()
    assert (before.state, find(hub, submission), accepted_heads(hub)) == ("accepted", before, 1)


def test_a_store_that_is_away_costs_neither_a_submission_nor_its_bundle_an_attempt(
    hub: Hub, ada: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = submit(hub, ada, package(ada, ALPHA))
    away = without_store(hub, monkeypatch)
    for kind in ("evaluate", "publish"):
        for _ in range(jobs.MAX_ATTEMPTS + 1):
            assert Worker(away).run_once(kind)
            let_leases_run_out(hub)
        assert Worker(hub).run_once(kind)
    assert (find(hub, submission).state, find(hub, submission).bundle_sequence) == ("accepted", 2)


def without_store(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The same hub, its files in a bucket that does not answer."""
    monkeypatch.setattr("manyheads_hub.storage.s3.ATTEMPTS", 1)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    return replace(hub, storage=S3Storage(S3Location("bucket", "hub", "http://127.0.0.1:1", "us-east-1")))


def test_a_publication_that_was_killed_too_often_is_queued_again_by_the_housekeeper(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, ALPHA))
    assert Worker(hub).run_once("evaluate")
    for _ in range(jobs.MAX_ATTEMPTS):
        with hub.database.write() as session:
            assert jobs.claim(session) is not None  # and its worker is never heard of again
        let_leases_run_out(hub)
    work(hub)
    assert find(hub, submission).bundle_sequence is None
    do_chores(hub)
    work(hub)
    assert find(hub, submission).bundle_sequence == 2


def test_a_head_whose_primary_is_replaced_while_it_is_measured_is_refused(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, ALPHA))

    def replace_primary(images: int, total: int) -> None:
        if images == total:
            publish_primary(hub, trained_primary("2"))

    Worker(hub, on_batch=replace_primary).run_once()
    info = find(hub, submission)
    assert (info.state, [reason.code for reason in info.reasons], accepted_heads(hub)) == ("refused", ["primary-replaced"], 0)


def test_a_long_evaluation_keeps_its_lease(hub: Hub, ada: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEASE_SECONDS", 0.6)
    submit(hub, ada, package(ada, ALPHA))
    taken: list[jobs.Lease | None] = []

    def look(images: int, total: int) -> None:
        if not taken:
            time.sleep(2)  # several leases long
            with hub.database.write() as session:
                taken.append(jobs.claim(session))

    Worker(hub, on_batch=look).run_once()
    assert (taken, accepted_heads(hub)) == ([None], 1)


def test_a_worker_asked_to_stop_puts_its_job_back(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, ALPHA))
    stop = threading.Event()
    Worker(hub, stop=stop, on_batch=lambda *_: stop.set()).run_once()
    assert (find(hub, submission).state, find(hub, submission).queue_position) == ("received", 1)
    work(hub)
    assert find(hub, submission).state == "accepted"


def test_an_older_version_that_is_evaluated_late_does_not_replace_a_newer_one(hub: Hub, ada: Owner) -> None:
    older = submit(hub, ada, package(ada, ALPHA))
    with hub.database.write() as session:
        lease = jobs.claim(session)
        assert lease is not None
        jobs.retry(session, lease, "the disk was full for a moment")
        session.execute(update(SubmissionRow).values(created=TIME))  # long before the next one
    newer = submit(hub, ada, package(ada, make_generator("alpha", "2")))
    work(hub)
    let_leases_run_out(hub)
    work(hub)
    assert (find(hub, newer).state, find(hub, newer).reasons) == ("accepted", [])
    assert (find(hub, older).state, [reason.code for reason in find(hub, older).reasons]) == (
        "accepted",
        ["newer-version-listed"],
    )
    with hub.database.read() as session:
        states = {entry.generator.title: (entry.state, entry.reason) for entry in catalogue.list_entries(session, Search(), 10)}
    assert states == {"alpha@2": ("listed", None), "alpha@1": ("replaced", "replaced by alpha@2")}


def test_an_evaluation_that_fails_is_tried_again(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, ALPHA))
    suite = hub.suite_folder()
    with_other_suite(hub, suite / "nowhere")
    assert work(hub) == 1
    info = find(hub, submission)
    assert (info.state, [reason.code for reason in info.reasons]) == ("received", ["dataset"])
    with_other_suite(hub, suite)
    let_leases_run_out(hub)
    work(hub)
    assert find(hub, submission).state == "accepted"


def test_an_evaluation_that_always_fails_ends_and_only_the_maintainer_sees_the_hubs_folders(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, ALPHA))
    with_other_suite(hub, Path("/nowhere"))
    for _ in range(jobs.MAX_ATTEMPTS):
        assert work(hub) == 1
        let_leases_run_out(hub)
    info = find(hub, submission)
    assert (info.state, work(hub)) == ("failed", 0)
    assert "/nowhere" not in info.model_dump_json()
    assert "/nowhere" in (last_error(hub, submission) or "")


def test_a_job_that_kills_its_workers_fails_its_submission(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, ALPHA))
    for _ in range(jobs.MAX_ATTEMPTS):
        with hub.database.write() as session:
            jobs.claim(session)
        let_leases_run_out(hub)
    work(hub)
    assert find(hub, submission).state == "failed"
    assert "killed by this job" in (last_error(hub, submission) or "")


def with_other_suite(hub: Hub, folder: Path) -> None:
    hub.settings.with_suite(folder).write()
