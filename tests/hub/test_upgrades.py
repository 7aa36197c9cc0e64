"""Candidates measured, promoted, refused and taken back; what becomes of the heads, in the hub and in its bundles."""

import atexit
import json
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from sqlalchemy import select

from manyheads_hub.audit import log
from manyheads_hub.bundles import queries as bundle_queries
from manyheads_hub.catalogue import lifecycle
from manyheads_hub.editions import prepare
from manyheads_hub.errors import ConflictError, NotReadyError, PromotionRefusedError, PublicationError
from manyheads_hub.evaluations import jobs
from manyheads_hub.evaluations.policy import read_policy, write_policy
from manyheads_hub.evaluations.worker import Worker, finish_job
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.signing.keyring import EVALUATION
from manyheads_hub.tables import BundleRow, HeadRow, JobRow, PrimaryRow, PublishedObjectRow
from manyheads_hub.upgrades import candidates, notices, promotion, queries
from manyheads_hub.upgrades.reports import read_report
from manyheads_shared.artifact import read_primary
from manyheads_shared.bundle import BundleManifest, CarryingManifest, read_manifest, verify_bundle
from manyheads_shared.digest import digest_bytes, hex_of
from manyheads_shared.retention import RetentionReport, verify_retention
from tests.support.grounds import PRODUCTION
from tests.support.live_hub import MAINTAINER, Api, Owner, enrol, find, make_hub, package, serving, submit, work
from tests.support.makers import make_generator
from tests.support.world import compatible_primary, trained_head, trained_primary

COMPATIBLE, OTHER = compatible_primary("7"), trained_primary("2")  # on the latter heads of version 1 tell little


@cache
def _template() -> tuple[Path, Owner]:
    """A hub whose catalogue lists ada's head for alpha, made once and copied."""
    folder = Path(mkdtemp(prefix="manyheads-upgrades-")) / "hub"
    atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
    with open_hub(make_hub(folder)) as hub:
        owner = enrol(hub)
        accept(hub, owner, "alpha")
    return folder, owner


@pytest.fixture
def ada() -> Owner:
    return _template()[1]


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[Hub]:
    """A hub with a listed head for alpha."""
    with open_hub(Path(shutil.copytree(_template()[0], tmp_path / "hub"))) as hub:
        yield hub


def accept(hub: Hub, owner: Owner, *names: str) -> None:
    for name in names:
        submission = submit(hub, owner, package(owner, make_generator(name)))
        work(hub)
        assert find(hub, submission).state == "accepted", find(hub, submission).reasons


def measure(hub: Hub, primary: bytes = COMPATIBLE) -> RetentionReport:
    """Offer a candidate as the command does."""
    hub.blobs.put(primary)
    artifact = read_primary(primary)
    with hub.database.write() as session:
        job = candidates.offer(session, MAINTAINER, artifact, len(primary))
    finish_job(hub, job, kind="measure")
    with hub.database.read() as session:
        return read_report(hub, candidates.report_digest(session, artifact.digest))


def promote(hub: Hub, report: RetentionReport, *, grace_days: int = 30) -> None:
    """Promote as the command does."""
    edition = prepare(hub)
    with hub.database.write() as session:
        row = candidates.get_row(session, report.name, report.version)
        promotion.check_promotable(row, report, edition)
        artifact = read_primary(hub.blobs.read(report.candidate))
        job = promotion.promote(session, MAINTAINER, row, artifact, report, grace_days=grace_days)
    finish_job(hub, job)


def go_back(hub: Hub) -> None:
    with hub.database.write() as session:
        _, job = promotion.go_back(session, MAINTAINER, "it calls drawings generated")
    finish_job(hub, job)


def loosen(hub: Hub, **change: object) -> None:
    policy = read_policy(hub.settings.policy)
    write_policy(hub.settings.policy, policy.model_copy(update=change))


def latest(hub: Hub) -> BundleManifest:
    """The newest bundle, verified as a client would."""
    with hub.database.read() as session:
        row = bundle_queries.latest(session)
        assert row is not None
    assert hub.repository.newest_bundle() == row.digest
    data = hub.blobs.read(row.digest)
    verify_bundle(data, hub.blobs.read)
    return read_manifest(data)


def titles(manifest: BundleManifest) -> Sequence[str]:
    return [entry.generator.title for entry in manifest.heads]


def state_of(hub: Hub, name: str) -> tuple[str, str | None]:
    with hub.database.read() as session:
        row = session.scalars(select(HeadRow).where(HeadRow.generator == name)).one()
        return row.state, row.reason


def test_a_candidate_is_measured_and_clients_see_nothing_of_it(listed: Hub) -> None:
    hub = listed
    before = latest(hub)
    report = measure(hub)

    (alpha,) = report.heads
    assert (alpha.compatibility, alpha.way, [each.way for each in alpha.ways]) == (
        "compatible",
        "straight",
        ["straight", "beside"],
    )
    assert abs(alpha.ways[0].loss.value) < 0.02
    assert alpha.ways[1].loss.value == 0
    assert {change.source for change in report.detector} == {"alpha", "gamma"}
    assert report.unmet == ()
    assert latest(hub) == before


def test_a_compatible_head_lives_on_in_the_promoted_primarys_bundle(listed: Hub, ada: Owner) -> None:
    hub = listed
    accept(hub, ada, "beta")
    promote(hub, measure(hub))
    manifest = latest(hub)

    assert isinstance(manifest, CarryingManifest)
    assert (manifest.primary, titles(manifest)) == (digest_bytes(COMPATIBLE), ["alpha@1", "beta@1"])
    assert {(entry.way, entry.until, entry.primary) for entry in manifest.carried} == {
        ("straight", None, digest_bytes(trained_primary()))
    }
    assert (manifest.left_out, state_of(hub, "alpha")) == ((), ("listed", None))
    with hub.database.read() as session:
        told = [entry for entry in log.entries(session) if entry.action == "head.carried"]
    assert [(entry.subject, entry.details["way"]) for entry in told] == [("alpha@1", "straight"), ("beta@1", "straight")]


def test_a_promotion_is_refused_by_the_name_of_every_floor_that_is_not_met(listed: Hub) -> None:
    hub = listed
    report = measure(hub, OTHER)

    assert [row.compatibility for row in report.heads] == ["degraded"]
    with pytest.raises(PromotionRefusedError, match="retention: 0 of 1 listed heads are compatible"):
        promote(hub, report)
    assert latest(hub).primary == digest_bytes(trained_primary())


def test_a_head_that_is_not_compatible_is_run_beside_until_its_time_is_over(listed: Hub) -> None:
    hub = listed
    loosen(hub, min_retained=0.0)
    promote(hub, measure(hub, OTHER))
    manifest = latest(hub)
    assert isinstance(manifest, CarryingManifest)
    (carried,) = manifest.carried
    assert (carried.way, titles(manifest)) == ("beside", ["alpha@1"])
    assert carried.until is not None

    with hub.database.write() as session:
        for standing in queries.of_primary(session, digest_bytes(OTHER)):
            standing.until = "2026-01-01T00:00:00Z"
    publish(hub)
    assert (type(latest(hub)), latest(hub).heads) == (BundleManifest, ())
    assert state_of(hub, "alpha")[0] == "obsolete"


def publish(hub: Hub) -> None:
    with hub.database.write() as session:
        job = jobs.enqueue(session, "publish")
    finish_job(hub, job)


def test_the_end_of_a_grace_period_is_queued_with_the_promotion(listed: Hub) -> None:
    loosen(listed, min_retained=0.0)
    promote(listed, measure(listed, OTHER), grace_days=2)
    with listed.database.read() as session:
        (waiting,) = session.scalars(select(JobRow).where(JobRow.state == "queued"))
    assert (waiting.kind, waiting.subject[:8]) == ("publish", "after 20")
    assert not Worker(listed).run_once()  # not before its time


def test_a_head_trained_for_the_new_primary_takes_the_carried_ones_place(listed: Hub, ada: Owner) -> None:
    hub = listed
    loosen(hub, min_retained=0.0)
    promote(hub, measure(hub, OTHER))
    again = package(
        ada, make_generator("alpha", "2"), head=trained_head(make_generator("alpha", "2"), "2"), primary=read_primary(OTHER)
    )
    submission = submit(hub, ada, again)
    work(hub)

    assert find(hub, submission).state == "accepted", find(hub, submission).reasons
    manifest = latest(hub)
    assert (type(manifest), titles(manifest)) == (BundleManifest, ["alpha@2"])
    assert [(e.generator.title, e.reason) for e in manifest.left_out] == [
        ("alpha@1", "alpha@2 takes its place on the present primary")
    ]


def test_a_rollback_is_a_new_bundle_of_the_earlier_primary_with_its_heads(listed: Hub) -> None:
    hub = listed
    loosen(hub, min_retained=0.0)
    promote(hub, measure(hub, OTHER), grace_days=1)
    with hub.database.write() as session:
        for standing in queries.of_primary(session, digest_bytes(OTHER)):
            standing.until = "2026-01-01T00:00:00Z"
    publish(hub)
    assert state_of(hub, "alpha")[0] == "obsolete"
    before = latest(hub).sequence
    go_back(hub)

    manifest = latest(hub)
    assert (manifest.primary, manifest.sequence, type(manifest)) == (
        digest_bytes(trained_primary()),
        before + 1,
        BundleManifest,
    )
    assert (titles(manifest), state_of(hub, "alpha")) == (["alpha@1"], ("listed", None))


def test_without_an_earlier_primary_there_is_no_way_back(hub: Hub) -> None:
    with pytest.raises(ConflictError, match="nothing to go back to"):
        go_back(hub)


def test_a_report_on_other_heads_than_are_listed_now_does_not_do(listed: Hub) -> None:
    hub = listed
    report = measure(hub)
    with hub.database.write() as session:
        lifecycle.yank(session, MAINTAINER, "alpha", "1", "claims cats")

    with pytest.raises(ConflictError, match="another list of heads"):
        promote(hub, report)


def test_a_report_by_another_policy_does_not_do(hub: Hub) -> None:
    report = measure(hub)
    loosen(hub, min_retained=0.1)

    with pytest.raises(ConflictError, match="another policy"):
        promote(hub, report)


def test_what_was_the_hubs_primary_is_no_candidate(hub: Hub) -> None:
    with pytest.raises(ConflictError, match="was this hub's before"):
        measure(hub, trained_primary())


def test_a_hub_without_a_primary_has_no_candidates(hub: Hub) -> None:
    with hub.database.write() as session:
        for table in (PublishedObjectRow, BundleRow, PrimaryRow):
            for row in session.scalars(select(table)):
                session.delete(row)
            session.flush()
    with pytest.raises(NotReadyError, match="publish-primary"):
        measure(hub)


def test_a_withdrawn_candidate_is_not_promoted(hub: Hub) -> None:
    report = measure(hub)
    with hub.database.write() as session:
        candidates.withdraw(session, MAINTAINER, "tiny", "7", "trained on the wrong images")

    with pytest.raises(ConflictError, match="withdrawn"):
        promote(hub, report)


def test_a_measurement_that_fails_says_why(hub: Hub) -> None:
    policy = json.loads(hub.settings.policy.read_text())
    hub.settings.policy.write_text("{")
    with pytest.raises(Exception, match="expected JSON"):
        measure(hub)
    hub.settings.policy.write_text(json.dumps(policy))
    with hub.database.read() as session:
        row = candidates.get_row(session, "tiny", "7")
        assert (row.state, "expected JSON" in str(row.error)) == ("failed", True)


def test_the_pages_show_candidates_reports_and_how_heads_stand(listed: Hub, ada: Owner) -> None:
    report = measure(listed)
    promote(listed, report)
    listed.database.close()
    with serving(listed.settings.folder) as url, Api(url, ada.token) as api:
        upgrades, page = api.get("/upgrades").text, api.get(f"/retention/{hex_of(report.candidate)}").text
        assert ("compatible" in upgrades, "tiny@7" in upgrades) == (True, True)
        assert ("It may be promoted" in page, "alpha" in page) == (True, True)
        assert api.get("/retention/nothing").status_code == 404
        assert "Carried over" in api.get("/bundles/3").text

        signed = api.get(f"/v1/primaries/{report.candidate}/retention").content
        assert verify_retention(signed, listed.keyring.evaluation_key()).report == report
        cells = api.get(f"/v1/primaries/{report.candidate}/compatibility").json()
        assert [(cell["compatibility"], cell["way"]) for cell in cells] == [("compatible", "straight")]
        assert [each["state"] for each in api.get("/v1/candidates").json()] == ["promoted"]
        assert "migrate --accept" in api.get("/v1/notices").json()[0]["message"]
        assert api.get("/v1/catalogue/alpha").json()["note"] == "made for primary tiny@1; bundles of tiny@7 run it straight"


def test_a_report_is_signed_again_once_the_hubs_evaluation_key_is_replaced(listed: Hub) -> None:
    promote(listed, measure(listed))
    listed.keyring.add(EVALUATION)
    publish(listed)
    assert isinstance(latest(listed), CarryingManifest)  # verified with the one key that a bundle carries


def test_a_promotion_that_cannot_be_published_leaves_the_candidate_as_it_was(listed: Hub) -> None:
    report = measure(listed)
    keys = listed.settings.keys / "offline"
    edition = prepare(listed)
    with listed.database.write() as session:
        row = candidates.get_row(session, "tiny", "7")
        job = promotion.promote(session, MAINTAINER, row, read_primary(COMPATIBLE), report, grace_days=1)
    keys.rename(keys.with_name("safe"))
    with pytest.raises(PublicationError):
        finish_job(listed, job)
    keys.with_name("safe").rename(keys)
    with listed.database.read() as session:
        promotion.check_promotable(candidates.get_row(session, "tiny", "7"), report, edition)
    promote(listed, report)
    assert latest(listed).primary == digest_bytes(COMPATIBLE)


def test_a_head_that_leaves_the_list_at_the_last_moment_is_noticed(listed: Hub) -> None:
    report = measure(listed)
    with listed.database.write() as session:
        lifecycle.yank(session, MAINTAINER, "alpha", "1", "claims cats")
        row = candidates.get_row(session, "tiny", "7")
        with pytest.raises(ConflictError, match="other heads are listed"):
            promotion.promote(session, MAINTAINER, row, read_primary(COMPATIBLE), report, grace_days=1)


def test_going_back_twice_is_going_forward_again(listed: Hub) -> None:
    promote(listed, measure(listed))
    go_back(listed)
    go_back(listed)
    manifest = latest(listed)
    assert (manifest.primary, titles(manifest), type(manifest)) == (digest_bytes(COMPATIBLE), ["alpha@1"], CarryingManifest)


@pytest.mark.parametrize("ground", [PRODUCTION], indirect=True)
def test_a_hub_on_postgresql_and_s3_does_the_same(hub: Hub) -> None:
    owner = enrol(hub)
    accept(hub, owner, "alpha")
    promote(hub, measure(hub))
    with hub.database.read() as session:
        (cell,) = notices.list_compatibility(session, digest_bytes(COMPATIBLE), 10)
        assert notices.count_compatibility(session, digest_bytes(COMPATIBLE)) == 1
    assert (cell.compatibility, cell.way, titles(latest(hub))) == ("compatible", "straight", ["alpha@1"])
    go_back(hub)
    assert (type(latest(hub)), titles(latest(hub))) == (BundleManifest, ["alpha@1"])
