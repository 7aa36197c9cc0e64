"""Accepted heads to bundles: what is in, what is left out and why; a publication that was cut short is made good."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from manyheads_hub import editions, publishing
from manyheads_hub.audit import log
from manyheads_hub.bundles import queries
from manyheads_hub.bundles import service as bundles
from manyheads_hub.catalogue import lifecycle
from manyheads_hub.catalogue import service as catalogue
from manyheads_hub.catalogue.search import Search
from manyheads_hub.errors import PublicationError, UnavailableError
from manyheads_hub.evaluations import jobs
from manyheads_hub.evaluations.measure import measure_catalogue
from manyheads_hub.evaluations.worker import Worker, finish_job
from manyheads_hub.hub import Hub
from manyheads_hub.primaries import queries as primaries_queries
from manyheads_hub.primaries import service as primaries
from manyheads_hub.signing.repository import TufRepository
from manyheads_shared.artifact import read_primary
from manyheads_shared.bundle import BundleManifest, verify_bundle
from manyheads_shared.calibration import BoundedCalibration, Sides, read_calibration
from manyheads_shared.compute import choose_compute
from manyheads_shared.digest import digest_bytes
from manyheads_shared.keys import generate_key, write_private_key
from tests.support.grounds import PRODUCTION
from tests.support.live_hub import MAINTAINER, Owner, find, let_leases_run_out, package, publish_primary, submit, work
from tests.support.makers import SIZE, make_generator
from tests.support.world import trained_head, trained_primary


def accept(hub: Hub, owner: Owner, name: str = "alpha", version: str = "1") -> str:
    submission = submit(hub, owner, package(owner, make_generator(name, version)))
    work(hub)
    assert find(hub, submission).state == "accepted", find(hub, submission).reasons
    return submission


def publish(hub: Hub) -> None:
    with hub.database.write() as session:
        job = jobs.enqueue(session, "publish")
    finish_job(hub, job)


def latest(hub: Hub) -> BundleManifest:
    """The newest bundle, verified as a client would."""
    with hub.database.read() as session:
        info, manifest, _ = bundles.get_bundle(session, hub.blobs, bundles.get_latest(session).sequence)
    assert hub.repository.newest_bundle() == info.digest
    assert verify_bundle(manifest.to_bytes(), hub.blobs.read).digest == info.digest
    return manifest


def test_the_first_bundle_holds_the_primary_and_no_heads(hub: Hub) -> None:
    manifest = latest(hub)
    assert (manifest.sequence, manifest.primary, manifest.heads) == (1, digest_bytes(trained_primary()), ())


def test_a_bundle_says_what_sizes_of_images_it_was_measured_on(hub: Hub) -> None:
    calibration = read_calibration(hub.blobs.read(latest(hub).calibration))
    assert isinstance(calibration, BoundedCalibration)
    assert calibration.sides == Sides(shortest=SIZE, longest=SIZE)


def test_an_accepted_head_is_in_the_next_bundle(hub: Hub, ada: Owner) -> None:
    submission = accept(hub, ada)
    assert [entry.generator.title for entry in latest(hub).heads] == ["alpha@1"]
    assert find(hub, submission).bundle_sequence == 2


def test_a_second_head_is_calibrated_against_the_first_ones_proofs(hub: Hub, ada: Owner) -> None:
    accept(hub, ada, "alpha")
    accept(hub, ada, "beta")
    with hub.database.read() as session:
        _, manifest, calibration = bundles.get_bundle(session, hub.blobs, 3)
    negatives = {entry.generator.name: calibration.heads[entry.head].negatives for entry in manifest.heads}
    assert negatives == {"alpha": 50 + 28 + 28, "beta": 50 + 28 + 28}  # half of the photographs, of gamma, of each other


def test_nothing_new_makes_no_new_bundle(hub: Hub) -> None:
    publish(hub)
    assert latest(hub).sequence == 1


def test_a_newer_version_replaces_the_older_one(hub: Hub, ada: Owner) -> None:
    accept(hub, ada, version="1")
    accept(hub, ada, version="2")
    manifest = latest(hub)
    assert [entry.generator.title for entry in manifest.heads] == ["alpha@2"]
    left_out = manifest.left_out[0]
    assert (left_out.generator.title, left_out.state, left_out.reason) == ("alpha@1", "replaced", "replaced by alpha@2")


def test_a_yanked_head_leaves_the_bundle_and_stays_downloadable(hub: Hub, ada: Owner) -> None:
    accept(hub, ada)
    with hub.database.write() as session:
        job = lifecycle.yank(session, MAINTAINER, "alpha", "1", "claims cats")
    finish_job(hub, job)
    manifest = latest(hub)
    assert (manifest.heads, [(e.state, e.reason) for e in manifest.left_out]) == ((), [("yanked", "claims cats")])
    with hub.database.read() as session:
        assert catalogue.get_entry(session, "alpha", "1").reason == "claims cats"
        bundles.refuse_unpublished(session, digest_bytes(trained_head(make_generator("alpha"))))


def test_another_primary_makes_older_heads_obsolete(hub: Hub, ada: Owner) -> None:
    accept(hub, ada)
    publish_primary(hub, trained_primary("2"))
    manifest = latest(hub)
    assert (manifest.primary, manifest.heads) == (digest_bytes(trained_primary("2")), ())
    assert [(e.generator.title, e.state) for e in manifest.left_out] == [("alpha@1", "obsolete")]
    with hub.database.read() as session:
        assert [entry.state for entry in catalogue.list_entries(session, Search(), 10)] == ["obsolete"]
        assert [info.version for info in primaries.list_published(session)] == ["2", "1"]
        bundles.refuse_unpublished(session, digest_bytes(trained_primary("1")))


def test_a_head_that_waits_while_the_primary_changes_is_refused_unmeasured(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    publish_primary(hub, trained_primary("2"))
    work(hub)
    info = find(hub, submission)
    assert (info.state, [reason.code for reason in info.reasons]) == ("refused", ["primary-replaced"])


def test_without_the_offline_keys_a_head_is_accepted_and_waits(hub: Hub, ada: Owner) -> None:
    keys = hub.settings.keys / "offline"
    keys.rename(keys.with_name("safe"))
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    work(hub)
    assert (find(hub, submission).state, find(hub, submission).bundle_sequence) == ("accepted", None)
    with pytest.raises(PublicationError, match="Bring the offline keys back"):
        publish(hub)
    keys.with_name("safe").rename(keys)
    publish(hub)
    assert find(hub, submission).bundle_sequence == 2


def test_a_primary_that_cannot_be_published_is_withdrawn(hub: Hub) -> None:
    data = trained_primary("2")
    hub.blobs.put(data)
    keys = hub.settings.keys / "offline"
    keys.rename(keys.with_name("safe"))
    with hub.database.write() as session:
        job = primaries.add(session, MAINTAINER, read_primary(data), len(data))
    with pytest.raises(PublicationError):
        finish_job(hub, job)
    keys.with_name("safe").rename(keys)
    publish(hub)
    assert latest(hub).primary == digest_bytes(trained_primary("1"))


def test_a_failed_job_that_gave_way_is_not_told_as_success(hub: Hub) -> None:
    with hub.database.write() as session:
        jobs.enqueue(session, "publish")
        lease = jobs.claim(session)
        assert lease is not None
        jobs.enqueue(session, "publish")
        jobs.retry(session, lease, "the disk was full")
    (hub.settings.keys / "offline").rename(hub.settings.keys / "safe")
    with pytest.raises(PublicationError, match="Bring the offline keys back"):
        finish_job(hub, lease.job_id)


def test_a_publication_that_cannot_be_signed_says_why_and_leaves_nothing_behind(hub: Hub) -> None:
    key = hub.settings.keys / "online" / "snapshot-1"  # needed only when the bundle's row is written already
    own = key.read_bytes()
    key.unlink()
    write_private_key(key, generate_key())
    with pytest.raises(PublicationError, match="snapshot keys in"):
        publish_primary(hub, trained_primary("2"))
    with hub.database.read() as session:
        assert queries.unpublished(session) is None
        assert primaries_queries.find(session, digest_bytes(trained_primary("2"))) is None
    key.write_bytes(own)
    publish_primary(hub, trained_primary("2"))
    assert (latest(hub).sequence, latest(hub).primary) == (2, digest_bytes(trained_primary("2")))


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


@pytest.mark.parametrize(
    ("step", "visible"),
    [
        ("signing.repository.TufRepository.publish", False),  # the row is written, nothing is signed
        ("publishing._mark_published", True),  # clients can see the bundle, the database does not know
    ],
)
def test_a_publication_that_was_cut_short_is_made_good(
    hub: Hub, ada: Owner, monkeypatch: pytest.MonkeyPatch, step: str, *, visible: bool
) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"manyheads_hub.{step}", die)
        with pytest.raises(Killed):
            work(hub)
    with hub.database.read() as session:
        row = queries.unpublished(session)
    assert row is not None
    assert (hub.repository.newest_bundle() == row.digest) is visible
    publish(hub)
    assert [entry.generator.title for entry in latest(hub).heads] == ["alpha@1"]
    assert (latest(hub).sequence, find(hub, submission).bundle_sequence) == (2, 2)
    with hub.database.read() as session:
        assert (queries.unpublished(session), len(queries.published(session, 10))) == (None, 2)


def test_a_publication_that_kills_its_workers_is_given_up_and_its_primary_withdrawn(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = trained_primary("2")
    hub.blobs.put(data)
    with hub.database.write() as session:
        job = primaries.add(session, MAINTAINER, read_primary(data), len(data))

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("manyheads_hub.signing.repository.TufRepository.publish", die)
        for _ in range(jobs.MAX_ATTEMPTS):
            with pytest.raises(Killed):
                work(hub)
            let_leases_run_out(hub)
    with pytest.raises(PublicationError, match="killed by this job"):
        finish_job(hub, job)
    with hub.database.read() as session:
        assert queries.unpublished(session) is None
        assert primaries_queries.find(session, digest_bytes(data)) is None


def test_a_head_yanked_while_it_is_measured_is_not_published(hub: Hub, ada: Owner) -> None:
    accept(hub, ada)
    edition = editions.prepare(hub)
    with hub.database.write() as session:
        lifecycle.yank(session, MAINTAINER, "alpha", "1", "claims cats")
    publish_edition(hub, edition)
    assert latest(hub).heads == ()


def publish_edition(hub: Hub, edition: editions.Edition, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Publish, with something that happens after measuring, while the lock is held."""
    with publishing.publishing_alone(hub) as verify:
        measured = measure_catalogue(edition.primary, edition.heads, edition.suite, choose_compute())
        meanwhile()
        publishing.publish(hub, edition, measured, {}, verify)


@pytest.mark.parametrize("ground", [PRODUCTION], indirect=True)
def test_a_publisher_whose_lock_is_lost_while_it_measures_publishes_nothing(hub: Hub, ada: Owner) -> None:
    submit(hub, ada, package(ada, make_generator("alpha")))
    assert Worker(hub).run_once("evaluate")

    def lose_the_lock() -> None:
        end_locks(hub)
        work(hub)  # another worker takes the lock, and publishes bundle 2 with the head
        with hub.database.write() as session:
            lifecycle.yank(session, MAINTAINER, "alpha", "1", "claims cats")

    edition = editions.prepare(hub)
    with pytest.raises(UnavailableError):
        publish_edition(hub, edition, lose_the_lock)
    assert (latest(hub).sequence, len(latest(hub).heads)) == (2, 1)
    work(hub)
    assert (latest(hub).sequence, latest(hub).heads) == (3, ())


@pytest.mark.parametrize("ground", [PRODUCTION], indirect=True)
def test_a_publisher_that_is_overtaken_while_it_signs_leads_no_client_to_its_bundle(
    hub: Hub, ada: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(hub, ada, package(ada, make_generator("alpha")))
    assert Worker(hub).run_once("evaluate")
    edition, sign = editions.prepare(hub), TufRepository.publish

    def overtaken(*arguments: Any) -> None:
        """The database is restarted just before the repository is locked; another worker takes the row for cut short."""
        monkeypatch.undo()
        end_locks(hub)
        work(hub)
        sign(*arguments)

    monkeypatch.setattr(TufRepository, "publish", overtaken)
    with pytest.raises(UnavailableError, match="another process's"):
        publish_edition(hub, edition)
    assert (latest(hub).sequence, len(latest(hub).heads)) == (2, 1)
    with hub.database.read() as session:
        assert [entry.subject for entry in log.entries(session) if entry.action == "bundle.published"] == ["1", "2"]


def end_locks(hub: Hub) -> None:
    """Break the connections that hold a lock, as a database that is restarted does."""
    with hub.database.read() as session:
        session.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"))
