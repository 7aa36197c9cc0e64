"""A submission's way over the real HTTP API: uploaded, checked, evaluated, published, found by a TUF client."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.live_hub import Api, Owner, enrol, make_hub, package, serving, work
from tests.support.makers import make_generator
from tests.support.tuf_client import fetch_target, open_updater

from manyheads_hub.hub import Hub, open_hub
from manyheads_shared.api import BundleInfo, CatalogueEntry
from manyheads_shared.bundle import verify_bundle
from manyheads_shared.digest import Digest


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with open_hub(make_hub(tmp_path / "hub")) as hub:
        yield hub


@pytest.fixture
def ada(hub: Hub) -> Owner:
    return enrol(hub)


@pytest.fixture
def api(hub: Hub, ada: Owner) -> Iterator[Api]:
    with serving(hub.settings.folder) as url, Api(url, ada.token) as api:
        yield api


def test_a_good_head_is_accepted_catalogued_and_published(hub: Hub, ada: Owner, api: Api) -> None:
    answer = api.submit(package(ada, make_generator("alpha")))
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/submissions/{answer.json()['id']}")
    assert (answer.json()["state"], answer.json()["queue_position"]) == ("received", 1)

    assert work(hub) == 2  # the evaluation, and the bundle that follows from it

    submission = api.submission(answer.json()["id"])
    assert (submission.state, submission.reasons, submission.bundle_sequence) == ("accepted", [], 2)
    entry = CatalogueEntry.model_validate(api.get("/v1/catalogue/alpha/1").json())
    assert (entry.state, entry.evaluation) == ("listed", submission.evaluation)
    bundle = BundleInfo.model_validate(api.get("/v1/bundles/latest").json())
    assert (bundle.sequence, bundle.generators) == (2, ["alpha@1"])


def test_a_client_finds_over_tuf_what_the_api_lists(hub: Hub, ada: Owner, api: Api, tmp_path: Path) -> None:
    api.submit(package(ada, make_generator("alpha")))
    work(hub)

    def read_object(digest: Digest) -> bytes:
        return api.get(f"/v1/objects/{digest}").raise_for_status().content

    updater = open_updater(hub.settings.folder / "tuf", hub.settings.root.read_bytes(), tmp_path / "client")
    manifest = fetch_target(updater, "bundle.json")
    assert manifest is not None
    assert verify_bundle(manifest, read_object).digest == Digest(api.get("/v1/bundles/latest").json()["digest"])
