"""Accounts over the real HTTP API: who may do what, how a key is enrolled and changed, and what the catalogue allows."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from manyheads_contributor.cli import app as contributor
from manyheads_hub.audit import log
from manyheads_hub.cli import app as maintainer
from manyheads_hub.contributors import invitations, keys
from manyheads_hub.editions import prepare
from manyheads_hub.hub import Hub, open_hub
from manyheads_shared.accounts import AccountInfo, Enrolled, EnrolmentInfo, IssuedToken, KeyInfo
from manyheads_shared.bundle import verify_bundle
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from manyheads_shared.key_proof import sign_key_proof
from manyheads_shared.keys import generate_key, public_pem, read_private_key, write_private_key
from manyheads_shared.recall import Recall
from tests.support.live_hub import MAINTAINER, Api, Owner, enrol, issue, make_hub, package, serving, work
from tests.support.makers import TIME, make_generator
from tests.support.world import draw_proofs

ALPHA = make_generator("alpha")
FEW = draw_proofs("alpha", 47)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with open_hub(make_hub(tmp_path / "hub")) as hub:
        yield hub


@pytest.fixture
def ada(hub: Hub) -> Owner:
    return enrol(hub)


@pytest.fixture
def url(hub: Hub) -> Iterator[str]:
    with serving(hub.settings.folder) as url:
        yield url


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def because(reason: str = "claims cats") -> dict[str, str]:
    return {"reason": reason}


def post(url: str, token: str, path: str, body: object = None) -> httpx.Response:
    with Api(url, token) as api:
        return api.http.post(path, json=because() if body is None else body)


NEEDS = {
    ("GET", "/v1/account/tokens"): "account",
    ("POST", "/v1/account/keys"): "account",
    ("GET", "/v1/submissions"): "read",
    ("POST", "/v1/submissions"): "submit",
    ("HEAD", f"/v1/uploads/{digest_bytes(b'x')}"): "submit",
    ("GET", "/v1/review/submissions"): "review",
    ("POST", "/v1/catalogue/alpha/1/yank"): "review",
    ("POST", "/v1/catalogue/alpha/1/quarantine"): "admin",
    ("POST", "/v1/catalogue/alpha/1/release"): "admin",
    ("PUT", "/v1/aliases/court"): "admin",
    ("GET", "/v1/audit"): "audit",
    ("GET", "/v1/webhooks"): "admin",
}


def test_every_endpoint_asks_for_its_scope(hub: Hub, ada: Owner, url: str) -> None:
    holders = {
        "owner": ada.token,
        "reviewer": issue(hub, "grace", "reviewer"),
        "reader": issue(hub, "hedy", "reader"),
        "maintainer": issue(hub, "joan", "maintainer"),
    }
    for (method, path), scope in NEEDS.items():
        for role, token in holders.items():
            with Api(url, token) as api:
                answer = api.http.request(method, path)
                may = scope in api.get("/v1/account").json()["scopes"]
            refused_for_scope = answer.status_code == 403 and (method == "HEAD" or answer.json()["code"] == "scope")
            assert refused_for_scope != may, (role, method, path)
        assert httpx.request(method, url + path).status_code == 401


def test_a_token_for_one_generator_cannot_touch_another(hub: Hub, ada: Owner, url: str) -> None:
    request = {"label": "ci", "scopes": ["read", "submit"], "generators": ["alpha"], "days": 30}
    narrow = IssuedToken.model_validate(post(url, ada.token, "/v1/account/tokens", request).json()).token
    with Api(url, ada.token) as whole, Api(url, narrow) as api:
        beta = make_generator("beta")
        assert code(api.submit(package(ada, beta, proofs=draw_proofs("beta", 47)))) == (403, "forbidden")
        submission = whole.submit(package(ada, beta, proofs=draw_proofs("beta", 47))).json()["id"]
        assert code(api.get(f"/v1/submissions/{submission}")) == (404, "not-found")
        assert api.get("/v1/submissions").json() == []
        assert api.submit(package(ada, ALPHA, proofs=FEW)).status_code == 201
        assert code(api.get("/v1/account/tokens")) == (403, "scope")


def test_numbers_beyond_any_row_are_nobodys(hub: Hub, ada: Owner, url: str) -> None:
    beyond = 10**30
    assert code(post(url, ada.token, f"/v1/account/tokens/{beyond}/revoke")) == (404, "not-found")
    with Api(url, issue(hub, "joan", "maintainer")) as api:
        answer = api.get(f"/v1/audit?after={beyond}")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_label_with_brackets_is_listed_and_one_that_steers_a_terminal_refused(hub: Hub, ada: Owner, url: str) -> None:
    label, request = "[/ci]", {"scopes": ["read"], "days": 30}
    assert post(url, ada.token, "/v1/account/tokens", request | {"label": label}).status_code == 201
    assert code(post(url, ada.token, "/v1/account/tokens", request | {"label": "\x1b[2J"})) == (422, "invalid-request")
    listed = CliRunner().invoke(maintainer, ["tokens", "list", str(hub.settings.folder)], catch_exceptions=False)
    assert label in listed.stdout


def test_a_token_is_revoked_by_its_holder_at_once(ada: Owner, url: str) -> None:
    with Api(url, ada.token) as api:
        number = AccountInfo.model_validate(api.get("/v1/account").json()).token.id
        assert api.http.post(f"/v1/account/tokens/{number}/revoke", json=because("leaked")).json()["reason"] == "leaked"
        assert code(api.get("/v1/account")) == (401, "unauthorised")


def test_an_invited_owner_enrols_a_key_they_hold_and_only_once(hub: Hub, url: str) -> None:
    with hub.database.write() as session:
        invitation = invitations.invite(session, MAINTAINER, "bob", ["gamma"])
    key = generate_key()
    with Api(url, invitation) as api:
        offered = EnrolmentInfo.model_validate(api.get("/v1/enrolment").json())
        proof = sign_key_proof(hub=offered.hub, owner=offered.owner, key=key, nonce=offered.nonce, created=TIME)
        answer = api.http.post("/v1/enrolment", json={"proof": proof.decode()})
        enrolled = Enrolled.model_validate(answer.json())
        assert (answer.status_code, enrolled.key_id, enrolled.generators) == (201, key.public_key.keyid, ["gamma"])
        assert code(api.http.post("/v1/enrolment", json={"proof": proof.decode()})) == (401, "unauthorised")
    with Api(url, enrolled.token.token) as api:
        assert AccountInfo.model_validate(api.get("/v1/account").json()).name == "bob"


@pytest.mark.parametrize("wrong", ["another nonce", "another hub", "another key's signature"])
def test_a_proof_that_is_not_for_this_invitation_enrols_nobody(hub: Hub, url: str, wrong: str) -> None:
    with hub.database.write() as session:
        invitation = invitations.invite(session, MAINTAINER, "bob", ["gamma"])
    with Api(url, invitation) as api:
        offered = EnrolmentInfo.model_validate(api.get("/v1/enrolment").json())
        proof = sign_key_proof(
            hub="elsewhere" if wrong == "another hub" else offered.hub,
            owner="bob",
            key=generate_key(),
            nonce="0" * 64 if wrong == "another nonce" else offered.nonce,
            created=TIME,
        )
        if wrong == "another key's signature":
            other = sign_key_proof(hub=offered.hub, owner="bob", key=generate_key(), nonce=offered.nonce, created=TIME)
            payload, signature = proof.decode().split('"signatures"')[0], other.decode().split('"signatures"')[1]
            proof = f'{payload}"signatures"{signature}'.encode()
        answer = api.http.post("/v1/enrolment", json={"proof": proof.decode()})
        assert answer.status_code == 422
        assert api.get("/v1/enrolment").status_code == 200  # it is not used up


def run(*arguments: object) -> str:
    result = CliRunner().invoke(contributor, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_kit_enrols_with_an_invitation_and_rotates_its_key(hub: Hub, url: str, tmp_path: Path) -> None:
    with hub.database.write() as session:
        (tmp_path / "code").write_text(invitations.invite(session, MAINTAINER, "bob", ["gamma"]))
    for name in ("old", "new"):
        write_private_key(tmp_path / name, generate_key())
    given = ("--hub", url, "--token-file", tmp_path / "token")
    run("enrol", *given, "--key", tmp_path / "old", "--invitation-file", tmp_path / "code", "--dry-run")
    assert not (tmp_path / "token").exists()
    run("enrol", *given, "--key", tmp_path / "old", "--invitation-file", tmp_path / "code")
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    run("key", "rotate", tmp_path / "old", tmp_path / "new", *given, "--dry-run")
    run("key", "rotate", tmp_path / "old", tmp_path / "new", *given)
    with Api(url, (tmp_path / "token").read_text().strip()) as api:
        known = [KeyInfo.model_validate(info) for info in api.get("/v1/account/keys").json()]
    ids = [read_private_key(tmp_path / name).public_key.keyid for name in ("new", "old")]
    assert [info.key_id for info in known] == ids
    assert [info.replaced is None for info in known] == [True, False]


def rotate(hub: Hub, url: str, owner: Owner) -> Owner:
    key = generate_key()
    proof = sign_key_proof(hub="test-hub", owner=owner.name, key=key, replaces=owner.key, created=TIME)
    assert post(url, owner.token, "/v1/account/keys", {"proof": proof.decode()}).status_code == 201
    return Owner(owner.name, key, owner.token)


def test_a_bundle_goes_on_verifying_after_its_owner_has_another_key(hub: Hub, ada: Owner, url: str) -> None:
    with Api(url, ada.token) as api:
        api.submit(package(ada, ALPHA))
        work(hub)
        ada = rotate(hub, url, ada)
        assert api.submit(package(ada, make_generator("beta"))).status_code == 201
        work(hub)
        manifest = api.get(f"/v1/objects/{api.get('/v1/bundles/latest').json()['digest']}").content
        verified = verify_bundle(manifest, lambda digest: api.get(f"/v1/objects/{digest}").raise_for_status().content)
    assert len({head.owner.key_id for head in verified.heads}) == len(verified.manifest.owner_keys) == 2


def test_a_rotation_needs_the_present_key(ada: Owner, url: str) -> None:
    thief = generate_key()
    proof = sign_key_proof(hub="test-hub", owner="ada", key=generate_key(), replaces=thief, created=TIME)
    assert code(post(url, ada.token, "/v1/account/keys", {"proof": proof.decode()})) == (422, "signature")


def test_a_revoked_key_signs_nothing_more_until_a_maintainer_enrols_another(hub: Hub, ada: Owner, url: str) -> None:
    key_id = ada.key.public_key.keyid
    assert post(url, ada.token, f"/v1/account/keys/{key_id}/revoke", because("stolen")).json()["reason"] == "stolen"
    with Api(url, ada.token) as api:
        assert code(api.submit(package(ada, ALPHA, proofs=FEW))) == (403, "forbidden")
        proof = sign_key_proof(hub="test-hub", owner="ada", key=generate_key(), replaces=ada.key, created=TIME)
        assert code(api.http.post("/v1/account/keys", json={"proof": proof.decode()})) == (403, "forbidden")
        new = generate_key()
        with hub.database.write() as session:
            keys.replace(session, MAINTAINER, "ada", public_pem(new.public_key), "known in person")
        assert api.submit(package(Owner("ada", new, ada.token), ALPHA, proofs=FEW)).status_code == 201


def test_a_reviewer_refuses_what_waits_and_its_owner_is_told_why(hub: Hub, ada: Owner, url: str) -> None:
    with Api(url, ada.token) as api:
        submission = api.submit(package(ada, ALPHA, proofs=FEW)).json()["id"]
        answer = post(url, issue(hub, "grace", "reviewer"), f"/v1/review/submissions/{submission}/refuse", because("not hers"))
        assert answer.json()["state"] == "refused"
        assert work(hub) == 0
        assert [reason["message"] for reason in api.get(f"/v1/submissions/{submission}").json()["reasons"]] == ["not hers"]
        assert api.submit(package(ada, ALPHA, proofs=FEW)).status_code == 201  # refused, so it may be offered again


def test_a_quarantined_head_cannot_be_downloaded_until_it_is_released(hub: Hub, ada: Owner, url: str) -> None:
    maintainer = issue(hub, "joan", "maintainer")
    with Api(url, ada.token) as api:
        offer = package(ada, ALPHA)
        api.submit(offer)
        work(hub)
        head = digest_bytes(offer.head)
        target = f"/tuf/targets/objects/{hex_of(head)}.{hex_of(head)}"
        assert (api.get(f"/v1/objects/{head}").status_code, api.get(target).status_code) == (200, 200)
        assert post(url, maintainer, "/v1/catalogue/alpha/1/quarantine").json()["state"] == "quarantined"
        for path in (f"/v1/objects/{head}", target):
            assert code(api.get(path)) == (403, "quarantined")
        work(hub)
        assert api.get("/v1/bundles/latest").json()["generators"] == []
        assert post(url, maintainer, "/v1/catalogue/alpha/1/release").json()["state"] == "listed"
        work(hub)
        assert api.get("/v1/bundles/latest").json()["generators"] == ["alpha@1"]
        assert api.get(f"/v1/objects/{head}").status_code == 200


def test_a_head_released_after_a_newer_one_was_listed_is_replaced_by_it(hub: Hub, ada: Owner, url: str) -> None:
    maintainer = issue(hub, "joan", "maintainer")
    with Api(url, ada.token) as api:
        api.submit(package(ada, ALPHA))
        work(hub)
        post(url, maintainer, "/v1/catalogue/alpha/1/quarantine")
        api.submit(package(ada, make_generator("alpha", "2")))
        work(hub)
        assert post(url, maintainer, "/v1/catalogue/alpha/1/release").json()["state"] == "replaced"
        assert [head.manifest.generator.title for head in prepare(hub).heads] == ["alpha@2"]


def test_a_recall_names_every_bundle_and_when_it_was_the_newest(hub: Hub, ada: Owner, url: str) -> None:
    with Api(url, ada.token) as api:
        api.submit(package(ada, ALPHA))
        work(hub)
        post(url, issue(hub, "grace", "reviewer"), "/v1/catalogue/alpha/1/yank")
        work(hub)
        recall = Recall.from_bytes(api.get("/v1/catalogue/alpha/1/recall").content)
        bundles = api.get("/v1/bundles").json()
    assert (recall.state, recall.reason, recall.owner_key) == ("yanked", "claims cats", ada.key.public_key.keyid)
    assert [(span.sequence, span.bundle) for span in recall.bundles] == [(2, Digest(bundles[1]["digest"]))]
    assert recall.bundles[0].latest_until == bundles[0]["published"]


def test_an_alias_points_where_it_was_moved_and_its_history_stays(hub: Hub, ada: Owner, url: str) -> None:
    maintainer = issue(hub, "joan", "maintainer")
    with Api(url, maintainer) as api:
        moved = api.http.put("/v1/aliases/court", json={"sequence": 1, "reason": "validated"})
        assert [move["sequence"] for move in moved.json()] == [1]
        assert api.get("/v1/aliases/court").json()["bundle"]["sequence"] == 1
        since = api.get("/v1/aliases/latest").json()["since"]
        assert api.get("/v1/aliases/latest", params={"as_of": since}).json()["bundle"]["sequence"] == 1
        assert code(api.get("/v1/aliases/court", params={"as_of": "2020-01-01T00:00:00Z"})) == (404, "not-found")
        assert code(api.http.put("/v1/aliases/latest", json={"sequence": 1, "reason": "x"})) == (422, "invalid-request")
        assert code(api.http.put("/v1/aliases/court", json={"sequence": 9, "reason": "x"})) == (404, "not-found")
        ended = api.http.put("/v1/aliases/court", json={"sequence": None, "reason": "case closed"}).json()
        assert [move["sequence"] for move in ended] == [None, 1]
        assert [alias["alias"] for alias in api.get("/v1/aliases").json()] == ["latest"]


def test_the_log_is_read_with_a_token_and_its_head_by_anyone(hub: Hub, ada: Owner, url: str) -> None:
    with Api(url, issue(hub, "hedy", "reader")) as api:
        exported = api.get("/v1/audit").content.splitlines()
        head = httpx.get(f"{url}/v1/audit/head").json()
        rest = api.get("/v1/audit", params={"after": len(exported) - 1}).content.splitlines()
    assert head == {"sequence": len(exported), "digest": digest_bytes(exported[-1])}
    assert rest == exported[-1:]
    with hub.database.read() as session:
        assert log.verify(session).digest == head["digest"]
