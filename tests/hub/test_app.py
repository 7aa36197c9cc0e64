"""What every answer has: a problem document when it is a no, headers that trust nothing, a description that is frozen."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from manyheads_hub.app import create_app
from manyheads_hub.hub import Hub
from manyheads_hub.security import SECURITY_HEADERS
from manyheads_hub.settings import Settings
from manyheads_shared.api import Problem
from manyheads_shared.digest import digest_bytes, hex_of
from tests.support.live_hub import Api, Owner, enrol, package, serving, serving_app
from tests.support.makers import make_generator
from tests.support.world import trained_primary

OPENAPI = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture
def api(hub: Hub, ada: Owner) -> Iterator[Api]:
    with serving(hub.settings.folder) as url, Api(url, ada.token) as api:
        yield api


@pytest.fixture
def stranger(api: Api) -> Iterator[Api]:
    with Api(str(api.http.base_url)) as stranger:
        yield stranger


def test_health_answers_without_a_token(stranger: Api) -> None:
    health = stranger.get("/v1/health").json()
    assert (health["hub"], health["bundle_sequence"]) == ("test-hub", 1)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/v1/catalogue/alpha/1", 404, "not-found"),
        ("GET", "/v1/bundles/7", 404, "not-found"),
        ("GET", "/v1/bundles/seven", 422, "invalid-request"),
        ("GET", "/v1/bundles/latest?as_of=yesterday", 422, "invalid-request"),
        ("GET", "/v1/objects/sha256:12", 422, "invalid-request"),
        ("GET", "/v1/objects/sha256:" + "0" * 64, 404, "not-found"),
        ("DELETE", "/v1/health", 405, "method-not-allowed"),
        ("GET", "/v1/submissions", 401, "unauthorised"),
        ("POST", "/v1/submissions", 401, "unauthorised"),
        ("GET", "/tuf/metadata/99.root.json", 404, "not-found"),
        ("GET", "/tuf/targets/..%2F..%2Fhub.toml", 404, "not-found"),
        ("GET", "/tuf/metadata/..%2F..%2Fhub.toml", 404, "not-found"),
        ("GET", "/tuf/metadata/%00", 404, "not-found"),
        ("GET", "/tuf/targets/" + "x" * 300, 404, "not-found"),
        ("GET", "/v1/bundles/99999999999999999999", 404, "not-found"),
    ],
)
def test_every_no_is_a_problem_document(stranger: Api, method: str, path: str, status: int, code: str) -> None:
    answer = stranger.http.request(method, path)
    problem = Problem.model_validate(answer.json())
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem.status, problem.code) == (status, status, code)


@pytest.mark.parametrize("path", ["/v1/health", "/v1/nothing", "/v1/submissions", "/tuf/metadata/timestamp.json", "/"])
def test_every_answer_carries_the_security_headers(stranger: Api, path: str) -> None:
    headers = stranger.get(path).headers
    assert {name: headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.mark.parametrize("body", [b"x" * 2_000_000, iter([b"x" * 700_000] * 3)])
def test_a_body_over_the_limit_is_refused_whether_its_length_is_told_or_not(api: Api, body: bytes) -> None:
    answer = api.http.post("/v1/submissions", content=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_a_request_that_breaks_the_schema_is_told_where(api: Api) -> None:
    answer = api.http.post("/v1/submissions", json={"head": "sha256:12", "owner_statement": "x", "proofs": []})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert "body.head" in answer.json()["detail"]


def test_a_token_that_expired_or_was_replaced_is_refused(hub: Hub, ada: Owner, api: Api) -> None:
    assert api.get("/v1/submissions").status_code == 200
    enrol(hub, ada.name, key=ada.key)
    answer = api.get("/v1/submissions")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_full_database_is_told_as_a_full_disk(hub: Hub, ada: Owner) -> None:
    app = create_app(hub.settings)

    @event.listens_for(app.state.hub.database.reader, "connect")
    def _leave_no_room(connection: Any, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # SQLite makes it the pages there are

    with serving_app(app) as url, Api(url, ada.token) as api:  # until the pages there are have no room for a row
        answers = [api.append(digest_bytes(bytes([i])), b"x", offset=0, length=2) for i in range(100)]
    assert {answer.status_code for answer in answers} == {204, 507}
    assert answers[-1].json()["code"] == "disk-full"


def test_a_file_of_the_hubs_own_that_the_disk_changed_is_no_fault_of_the_callers(hub: Hub, ada: Owner, api: Api) -> None:
    name = hex_of(digest_bytes(trained_primary()))
    (hub.settings.folder / "blobs" / name[:2] / name).write_bytes(b"something else")
    answer = api.submit(package(ada, make_generator("alpha")))
    assert (answer.status_code, answer.json()["code"]) == (500, "blob-damaged")


def test_a_bug_is_a_problem_document_too_and_says_nothing_of_the_inside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("manyheads_hub.catalogue.service.list_entries", fail)
    answer = api.get("/v1/catalogue")
    assert (answer.status_code, answer.json()["code"], "secret" in answer.text) == (500, "internal", False)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_description_of_the_api_is_the_frozen_one() -> None:
    described = create_app(Settings(Path(), "hub")).openapi()
    assert described == json.loads(OPENAPI.read_text()), "if it was meant: manyheads-hub openapi > docs/openapi.json"
