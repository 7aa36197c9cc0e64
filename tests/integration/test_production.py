"""A hub on PostgreSQL and S3: replicas that share nothing else, killed and carried on by one another."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from manyheads_client import Bundle
from manyheads_client.fetch import HttpFetcher
from manyheads_client.store import Store
from manyheads_client.update import pull
from manyheads_contributor.hub_client import HubClient
from manyheads_hub.catalogue import service as catalogue
from manyheads_hub.catalogue.search import Search
from manyheads_hub.creation import check_new_hub, create_hub
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.settings import Settings
from manyheads_hub.tables import JobRow
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import UsageError
from tests.support.grounds import PRODUCTION, Ground, move, new_ground
from tests.support.live_hub import Api, Owner, enrol, find, make_hub, package, replica, running, serving, wait_until, work
from tests.support.makers import make_generator
from tests.support.postgres_server import running_postgres
from tests.support.world import trained_primary

DATA = bytes(range(256)) * 80_000  # about 20 MB


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with bundle 1, in PostgreSQL and S3, that sends clients to the bucket for large files."""
    folder = make_hub(tmp_path / "hub")
    move(folder, new_ground(PRODUCTION, presigned_downloads=True))
    with open_hub(folder) as hub:
        yield hub


@pytest.fixture
def ada(hub: Hub) -> Owner:
    return enrol(hub)


def test_an_upload_goes_on_at_another_replica_when_the_first_is_killed(hub: Hub, ada: Owner) -> None:
    digest, half = digest_bytes(DATA), len(DATA) // 2
    with running(replica(hub, "first"), "--no-worker") as first, Api(first.url, ada.token) as api:
        api.append(digest, DATA[:half], offset=0, length=len(DATA)).raise_for_status()
        first.kill()
    with running(replica(hub, "second"), "--no-worker") as second, Api(second.url, ada.token) as api:
        assert api.offset(DATA) == half
        api.append(digest, DATA[half:], offset=half, length=len(DATA)).raise_for_status()
    assert hub.blobs.read(digest) == DATA


def test_what_one_replica_takes_in_another_evaluates_and_a_third_serves(hub: Hub, ada: Owner, tmp_path: Path) -> None:
    with running(replica(hub, "door"), "--no-worker") as door, Api(door.url, ada.token) as api:
        submission = api.submit(package(ada, make_generator("alpha"))).raise_for_status().json()["id"]
    with open_hub(replica(hub, "worker")) as worker:
        work(worker)
    assert find(hub, submission).bundle_sequence == 2
    with running(replica(hub, "shop"), "--no-worker") as shop:
        store = Store(tmp_path / "store")
        pulled = pull(store, shop.url, hub.settings.root.read_bytes(), HttpFetcher())
    assert (pulled.held.sequence, Bundle.open(store.folder).generators) == (2, ("alpha@1",))


def test_two_workers_on_two_replicas_do_each_job_once(hub: Hub, ada: Owner) -> None:
    with serving(hub.settings.folder) as url, Api(url, ada.token) as api:
        submissions = [api.submit(package(ada, make_generator(name))).json()["id"] for name in ("alpha", "beta")]
    with running(replica(hub, "first")), running(replica(hub, "second")):
        wait_until(lambda: all(find(hub, each).bundle_sequence for each in submissions))
        wait_until(lambda: not any(state in ("queued", "leased") for state in states(hub)))
    with hub.database.read() as session:
        assert set(session.scalars(select(JobRow.attempts))) == {1}
        assert [entry.generator.title for entry in catalogue.list_entries(session, Search(), 10)] == ["alpha@1", "beta@1"]


def states(hub: Hub) -> list[str]:
    with hub.database.read() as session:
        return list(session.scalars(select(JobRow.state)))


def test_large_files_come_from_the_bucket_and_metadata_from_the_hub(hub: Hub, tmp_path: Path) -> None:
    digest = digest_bytes(trained_primary())
    with serving(hub.settings.folder) as url, httpx.Client(base_url=url) as http, HubClient(url, "mh_token") as client:
        for path in (f"/v1/objects/{digest}", "/tuf/targets/objects/{0}.{0}".format(digest.removeprefix("sha256:"))):
            answer = http.get(path)
            assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
            bucket = httpx.get(answer.headers["location"], headers={"Range": "bytes=100-"})
            assert (bucket.status_code, bucket.content) == (206, trained_primary()[100:])
        assert http.get("/tuf/metadata/timestamp.json").status_code == 200
        assert http.get("/tuf/targets/objects/nothing").status_code == 404
        client.fetch(digest, tmp_path / "primary.safetensors", max_bytes=1 << 30)
    assert (tmp_path / "primary.safetensors").read_bytes() == trained_primary()


def test_a_hub_is_made_in_an_empty_database_and_prefix_and_never_over_another(tmp_path: Path) -> None:
    ground = new_ground(PRODUCTION)
    settings = check_new_hub(tmp_path / "hub", name="lab", suite=None, database=ground.database, storage=ground.storage)
    create_hub(settings)
    with open_hub(tmp_path / "hub") as hub:
        assert hub.repository.newest_bundle() is None
        enrol(hub)
    assert Settings.read(tmp_path / "hub") == settings
    assert not list((tmp_path / "hub").glob("*.sqlite*"))
    with pytest.raises(UsageError, match="is a hub's already"):
        check_new_hub(tmp_path / "other", name="lab", suite=None, database=ground.database)
    with pytest.raises(UsageError, match="another hub lies here"):
        check_new_hub(tmp_path / "other", name="lab", suite=None, storage=ground.storage)


def test_a_text_that_postgres_cannot_hold_is_refused(hub: Hub, ada: Owner) -> None:
    with serving(hub.settings.folder) as url, Api(url, ada.token) as api:
        for path in ("/v1/submissions/a%00b", "/v1/catalogue/a%00b/1", "/submissions/a%00b", "/heads/a%00/1"):
            assert api.get(path).status_code == 422
        assert api.get("/v1/bundles/9223372036854775807").status_code == 404


def test_while_the_database_is_away_the_hub_says_so_and_then_goes_on(tmp_path: Path) -> None:
    folder = make_hub(tmp_path / "hub")
    with running_postgres() as server:
        move(folder, Ground(server.new_database(), None))
        with serving(folder) as url, Api(url) as api:
            assert api.get("/v1/health").status_code == 200
            with server.stopped():
                answer = api.get("/v1/health")
                assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "5")
            assert api.get("/v1/health").status_code == 200


def test_while_the_bucket_is_away_the_hub_says_so(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyheads_hub.storage.s3.ATTEMPTS", 1)
    assert hub.settings.storage is not None
    replace(hub.settings, storage=replace(hub.settings.storage, endpoint="http://127.0.0.1:1")).write()
    with serving(hub.settings.folder) as url, Api(url) as api:
        answer = api.get(f"/v1/objects/{digest_bytes(trained_primary())}")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
