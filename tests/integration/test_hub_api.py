"""A submission's way over the real HTTP API: uploaded, checked, evaluated, published, found by a TUF client."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from manyheads_hub.catalogue import lifecycle
from manyheads_hub.catalogue import service as catalogue
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.settings import Limits
from manyheads_shared.api import BundleInfo, CatalogueEntry, PrimaryInfo
from manyheads_shared.artifact import read_primary
from manyheads_shared.bundle import verify_bundle
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.keys import parse_public_key
from manyheads_shared.statements import verify_hub_statement
from tests.support.live_hub import MAINTAINER, Api, Owner, enrol, make_hub, package, serving, work
from tests.support.makers import make_generator, make_head_bytes, make_primary
from tests.support.tuf_client import fetch_target, open_updater
from tests.support.world import draw_proofs, trained_primary

ALPHA = make_generator("alpha")
FEW = draw_proofs("alpha", 47)  # as many as the door asks for


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


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def fetch(api: Api, digest: str) -> bytes:
    return api.get(f"/v1/objects/{digest}").raise_for_status().content


def test_a_good_head_is_accepted_catalogued_and_published(hub: Hub, ada: Owner, api: Api) -> None:
    answer = api.submit(package(ada, ALPHA))
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
    api.submit(package(ada, ALPHA))
    work(hub)
    updater = open_updater(hub.storage, hub.settings.root.read_bytes(), tmp_path / "client")
    manifest = fetch_target(updater)
    assert manifest is not None
    verified = verify_bundle(manifest, lambda digest: fetch(api, digest))
    assert verified.digest == api.get("/v1/bundles/latest").json()["digest"]
    assert [head.owner.predicate.generator for head in verified.heads] == [ALPHA]


def test_tuf_metadata_and_targets_are_served(hub: Hub, api: Api) -> None:
    root = api.get("/tuf/metadata/1.root.json")
    assert (root.content, root.headers["cache-control"]) == (
        hub.settings.root.read_bytes(),
        "public, max-age=31536000, immutable",
    )
    assert api.get("/tuf/metadata/timestamp.json").headers["cache-control"] == "no-cache"
    name = digest_bytes(trained_primary()).removeprefix("sha256:")
    whole = api.get(f"/tuf/targets/objects/{name}.{name}")
    rest = api.get(f"/tuf/targets/objects/{name}.{name}", headers={"Range": "bytes=100-"})
    assert (whole.content, rest.status_code, rest.content) == (trained_primary(), 206, trained_primary()[100:])


def test_the_primary_is_described_and_fetched_without_a_token(api: Api) -> None:
    with Api(str(api.http.base_url)) as anyone:
        info = PrimaryInfo.model_validate(anyone.get("/v1/primary").json())
        assert read_primary(fetch(anyone, info.digest)).digest == info.digest == digest_bytes(trained_primary())


def test_the_hub_states_what_it_measured_under_its_own_key(hub: Hub, ada: Owner, api: Api) -> None:
    api.submit(package(ada, ALPHA))
    work(hub)
    entry = CatalogueEntry.model_validate(api.get("/v1/catalogue/alpha/1").json())
    signed = verify_hub_statement(fetch(api, entry.hub_statement), entry.head, hub.keyring.evaluation_key()).predicate
    assert (signed.generator, signed.threshold, signed.recall.hits) == (ALPHA, entry.evaluation.threshold, 28)
    assert parse_public_key(hub_key_of(api)).keyid == hub.keyring.evaluation_key().keyid


def hub_key_of(api: Api) -> str:
    manifest = fetch(api, api.get("/v1/bundles/latest").json()["digest"])
    return verify_bundle(manifest, lambda digest: fetch(api, digest)).manifest.hub_key


def test_a_refused_head_is_visible_to_its_owner_and_downloadable_by_nobody(hub: Hub, ada: Owner, api: Api) -> None:
    offer = package(ada, ALPHA, head=make_head_bytes(read_primary(trained_primary()), ALPHA))
    submission = api.submit(offer).json()["id"]
    work(hub)
    assert api.submission(submission).state == "refused"
    assert {reason.code for reason in api.submission(submission).reasons} >= {"constant-head"}
    for data in (offer.head, offer.statement, offer.proofs[0]):
        assert code(api.get(f"/v1/objects/{digest_bytes(data)}")) == (404, "not-found")


def test_proofs_and_suite_never_leave_the_hub(hub: Hub, ada: Owner, api: Api) -> None:
    offer = package(ada, ALPHA)
    api.submit(offer)
    work(hub)
    suite_image = next(hub.suite_folder().glob("real/photos/*.png")).read_bytes()
    with hub.database.read() as session:
        picture = catalogue.list_pictures(session, digest_bytes(offer.head))[0].digest
    for digest in (digest_bytes(offer.proofs[0]), digest_bytes(suite_image), picture):
        assert code(api.get(f"/v1/objects/{digest}")) == (404, "not-found")


def test_a_submissions_figures_and_messages_are_its_owners_alone(hub: Hub, ada: Owner, api: Api) -> None:
    submission = api.submit(package(ada, ALPHA, proofs=FEW)).json()["id"]
    bob = enrol(hub, "bob", ["delta"])
    with Api(str(api.http.base_url), bob.token) as other:
        assert code(other.get(f"/v1/submissions/{submission}")) == (404, "not-found")
        assert other.get("/v1/submissions").json() == []
        assert other.get(f"/submissions/{submission}").status_code == 200  # the page: state and reasons, as anyone may see
    assert [info["id"] for info in api.get("/v1/submissions").json()] == [submission]


def test_the_same_offer_twice_is_one_submission(ada: Owner, api: Api) -> None:
    offer = package(ada, ALPHA, proofs=FEW)
    first, again = api.submit(offer), api.submit(offer)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len(api.get("/v1/submissions").json()) == 1


def test_the_same_head_with_other_proofs_waits_for_the_first_to_be_judged(ada: Owner, api: Api) -> None:
    api.submit(package(ada, ALPHA, proofs=FEW)).raise_for_status()
    assert code(api.submit(package(ada, ALPHA))) == (409, "conflict")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("another primary", (422, "primary-mismatch")),
        ("another owner", (403, "forbidden")),
        ("no statement", (422, "manifest")),
        ("no image", (422, "submission")),
        ("nothing uploaded", (422, "submission")),
    ],
)
def test_what_does_not_belong_together_is_refused_at_the_door(
    ada: Owner, api: Api, change: str, expected: tuple[int, str]
) -> None:
    offer, foreign = package(ada, ALPHA, proofs=FEW), make_primary()
    match change:
        case "another primary":
            offer = package(ada, ALPHA, proofs=FEW, head=make_head_bytes(foreign, ALPHA), primary=foreign)
        case "another owner":
            offer = package(ada, make_generator("alpha", owner="bob"), proofs=FEW)
        case "no statement":
            offer = replace(offer, statement=b"{}")
        case "no image":
            offer = replace(offer, proofs=(*offer.proofs, b"not an image"))
        case "nothing uploaded":
            assert code(api.http.post("/v1/submissions", json=offer.request)) == expected
            return
    assert code(api.submit(offer)) == expected


def test_the_number_of_submissions_a_day_is_limited(hub: Hub, ada: Owner) -> None:
    replace(hub.settings, limits=Limits(submissions_per_day=1)).write()
    with serving(hub.settings.folder) as url, Api(url, ada.token) as api:
        api.submit(package(ada, ALPHA, proofs=FEW)).raise_for_status()
        assert code(api.submit(package(ada, make_generator("beta"), proofs=FEW))) == (429, "quota")


def test_offers_that_are_refused_at_the_door_are_counted_too(hub: Hub, ada: Owner) -> None:
    replace(hub.settings, limits=Limits(offers_per_day=2)).write()
    with serving(hub.settings.folder) as url, Api(url, ada.token) as api:
        request = package(ada, ALPHA, proofs=FEW).request  # of what was never uploaded
        answers = [code(api.http.post("/v1/submissions", json=request)) for _ in range(3)]
    assert answers == [(422, "submission"), (422, "submission"), (429, "quota")]


def test_a_hub_without_a_suite_takes_no_heads(hub: Hub, ada: Owner, api: Api) -> None:
    replace(hub.settings, suite=None).write()
    assert code(api.submit(package(ada, ALPHA, proofs=FEW))) == (503, "not-ready")


def test_the_api_tells_which_bundle_was_the_newest_at_a_time(hub: Hub, ada: Owner, api: Api) -> None:
    api.submit(package(ada, ALPHA))
    work(hub)
    bundles = [BundleInfo.model_validate(info) for info in api.get("/v1/bundles").json()]
    assert [info.sequence for info in bundles] == [2, 1]
    assert api.get("/v1/bundles/latest", params={"as_of": bundles[1].published}).json()["sequence"] == 1
    assert api.get("/v1/bundles/latest", params={"as_of": "2099-01-01T00:00:00Z"}).json()["sequence"] == 2
    assert code(api.get("/v1/bundles/latest", params={"as_of": "2020-01-01T00:00:00Z"})) == (404, "not-found")
    assert api.get("/v1/bundles/1").json() == bundles[1].model_dump(mode="json")


def test_a_yanked_head_shows_its_reason_and_stays_downloadable_by_digest(hub: Hub, ada: Owner, api: Api) -> None:
    offer = package(ada, ALPHA)
    api.submit(offer)
    work(hub)
    with hub.database.write() as session:
        lifecycle.yank(session, MAINTAINER, "alpha", "1", "claims cats")
    work(hub)
    entry = CatalogueEntry.model_validate(api.get("/v1/catalogue/alpha/1").json())
    assert (entry.state, entry.reason) == ("yanked", "claims cats")
    assert (api.get("/v1/bundles/latest").json()["generators"], fetch(api, Digest(entry.head))) == ([], offer.head)
