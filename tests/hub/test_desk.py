"""The pages of who is signed in: sessions, forms that only our own pages can send, and what a reviewer does with them."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from manyheads_hub.accounts import tokens
from manyheads_hub.accounts.tables import SessionRow
from manyheads_hub.audit import log
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.tables import SubmissionRow
from tests.hub.test_pages import BROWSER, Outline
from tests.support.gallery import make_gallery
from tests.support.live_hub import MAINTAINER, issue, serving

WAITING, HEAD = "e00000000002", "/review/heads/dcgan-litalien/1"


@dataclass
class Desk:
    """A hub full of rows, served; and browsers."""

    hub: Hub
    url: str

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=BROWSER, follow_redirects=True)

    @contextmanager
    def signed_in(self, role: str) -> Iterator[httpx.Client]:
        token = issue(self.hub, role, role)  # type: ignore[arg-type]
        with self.browser() as browser:
            data = {"token": token, "form_token": form_token(browser.get("/sign-in")), "to": "/account"}
            assert browser.post("/sign-in", data=data).status_code == 200
            yield browser


def form_token(page: httpx.Response) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', page.text)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hub = make_gallery(tmp_path_factory.mktemp("gallery") / "hub")
    hub.database.close()
    return hub.settings.folder


@pytest.fixture
def desk(gallery: Path, tmp_path: Path) -> Iterator[Desk]:
    shutil.copytree(gallery, tmp_path / "hub")
    with open_hub(tmp_path / "hub") as hub, serving(tmp_path / "hub") as url:
        yield Desk(hub, url)


def actions(desk: Desk, subject: str) -> list[tuple[str, str, str | None]]:
    with desk.hub.database.read() as session:
        return [(entry.actor, entry.action, entry.reason) for entry in log.newest(session, 5, subject=subject)]


def test_a_stranger_is_asked_to_sign_in_and_comes_back_to_the_page(desk: Desk) -> None:
    with desk.browser() as browser:
        answer = browser.get("/review")
    assert answer.status_code == 401
    assert 'href="/sign-in?next=/review"' in answer.text


def test_a_form_sent_after_the_session_ended_leads_back_to_a_page_that_is_there(desk: Desk) -> None:
    with desk.browser() as browser:
        assert 'href="/sign-in?next=/account"' in browser.post(f"{HEAD}/yank", data={"reason": "claims cats"}).text


def test_what_is_challenged_waits_and_whoever_came_first_stands_first(desk: Desk) -> None:
    with desk.hub.database.write() as session:
        session.execute(update(SubmissionRow).where(SubmissionRow.id == "e00000000001").values(state="challenged"))
    with desk.signed_in("reviewer") as browser:
        waiting = browser.get("/review").text.partition('id="heads"')[0]
    assert re.findall("e0000000000[123]", waiting) == ["e00000000001", "e00000000002", "e00000000003"]


@pytest.mark.parametrize("reason", ["\x1b[31mred", "turned \u202e round"])
def test_a_reason_that_would_steer_a_terminal_is_refused(desk: Desk, reason: str) -> None:
    with desk.signed_in("reviewer") as browser:
        answer = browser.post(f"{HEAD}/yank", data={"reason": reason, "form_token": form_token(browser.get(HEAD))})
    assert (answer.status_code, "without control characters" in answer.text) == (422, True)


def test_lines_of_a_reason_become_one(desk: Desk) -> None:
    with desk.signed_in("reviewer") as browser:
        data = {"reason": "claims\r\n  cats", "form_token": form_token(browser.get(HEAD))}
        browser.post(f"{HEAD}/yank", data=data)
    assert actions(desk, "dcgan-litalien@1")[0][2] == "claims cats"


def test_a_reviewer_yanks_a_head_with_a_reason(desk: Desk) -> None:
    with desk.signed_in("reviewer") as browser:
        page = browser.get(HEAD)
        answer = browser.post(f"{HEAD}/yank", data={"reason": " claims cats ", "form_token": form_token(page)})
    assert answer.status_code == 200
    assert "claims cats" in answer.text
    assert actions(desk, "dcgan-litalien@1")[0] == ("reviewer", "head.yanked", "claims cats")


def test_a_reviewer_refuses_what_waits(desk: Desk) -> None:
    path = f"/review/submissions/{WAITING}"
    with desk.signed_in("reviewer") as browser:
        answer = browser.post(f"{path}/refuse", data={"reason": "not hers", "form_token": form_token(browser.get(path))})
        assert "refused-by-reviewer" in answer.text
        again = browser.post(f"{path}/refuse", data={"reason": "not hers", "form_token": form_token(browser.get(HEAD))})
    assert (again.status_code, "only one that waits" in again.text) == (409, True)
    with desk.browser() as stranger:
        assert "A reviewer of this hub refused it" in stranger.get(f"/submissions/{WAITING}").text


def test_a_reviewer_sees_what_a_submission_claims_most(desk: Desk) -> None:
    with desk.signed_in("reviewer") as browser:
        figures = browser.get("/review/submissions/c00000000001").text.partition('id="figures"')[2]
    assert "on dcgan-litalien" in figures
    assert "no other source" not in figures


def test_quarantine_is_for_maintainers(desk: Desk) -> None:
    with desk.signed_in("reviewer") as browser:
        page = browser.get(HEAD)
        assert "Quarantine" not in page.text
        answer = browser.post(f"{HEAD}/quarantine", data={"reason": "x", "form_token": form_token(page)})
        assert answer.status_code == 403
    with desk.signed_in("maintainer") as browser:
        for change in ("quarantine", "release"):
            page = browser.get(HEAD)
            answer = browser.post(f"{HEAD}/{change}", data={"reason": "examined", "form_token": form_token(page)})
            assert answer.status_code == 200
    assert [action for _, action, _ in actions(desk, "dcgan-litalien@1")] == ["head.released", "head.quarantined"]


def test_a_change_without_a_reason_is_refused(desk: Desk) -> None:
    with desk.signed_in("reviewer") as browser:
        answer = browser.post(f"{HEAD}/yank", data={"reason": " ", "form_token": form_token(browser.get(HEAD))})
    assert (answer.status_code, "expected a reason" in answer.text) == (422, True)


FORGED = {
    "no token": ({}, {}),
    "another browser's token": ({"form_token": "0" * 64}, {}),
    "from another site": (None, {"Sec-Fetch-Site": "cross-site"}),
    "from another host of the site": (None, {"Sec-Fetch-Site": "same-site"}),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_form_that_our_page_did_not_send_changes_nothing(desk: Desk, name: str) -> None:
    data, headers = FORGED[name]
    with desk.signed_in("reviewer") as browser:
        own = {"form_token": form_token(browser.get(HEAD))}
        for path in (f"{HEAD}/yank", "/account/tokens/1/revoke", f"/review/submissions/{WAITING}/refuse", "/sign-out"):
            answer = browser.post(path, data={"reason": "forged"} | (own if data is None else data), headers=headers)
            assert (answer.status_code, "did not come from a page of this hub" in answer.text) == (403, True)
        assert browser.get("/account").status_code == 200
    assert actions(desk, "dcgan-litalien@1") == []


def test_signing_in_needs_the_form_of_this_browser(desk: Desk) -> None:
    token = issue(desk.hub, "grace", "reviewer")
    with desk.browser() as attacker, desk.browser() as victim:
        stolen = form_token(attacker.get("/sign-in"))
        victim.get("/sign-in")
        answer = victim.post("/sign-in", data={"token": token, "form_token": stolen})
    assert answer.status_code == 403


def test_a_wrong_token_signs_nobody_in_and_says_so(desk: Desk) -> None:
    with desk.browser() as browser:
        answer = browser.post("/sign-in", data={"token": "mh_guess", "form_token": form_token(browser.get("/sign-in"))})
        assert (answer.status_code, 'role="alert"' in answer.text) == (401, True)
        assert browser.get("/account").status_code == 401


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_site(desk: Desk, to: str) -> None:
    with desk.browser() as browser:
        data = {"token": issue(desk.hub, "grace", "reviewer"), "form_token": form_token(browser.get("/sign-in")), "to": to}
        answer = browser.post("/sign-in", data=data, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: Desk) -> None:
    token = issue(desk.hub, "grace", "reviewer")
    with desk.browser() as browser:
        data = {"token": token, "form_token": form_token(browser.get("/sign-in"))}
        cookie = browser.post("/sign-in", data=data, follow_redirects=False).headers["set-cookie"]
    assert re.match(r"mh-session=mhs_[\w-]{43}; HttpOnly; Max-Age=28800; Path=/; SameSite=strict", cookie)


def test_behind_tls_the_cookie_belongs_to_this_host_alone(desk: Desk) -> None:
    token, tls = issue(desk.hub, "grace", "reviewer"), {"X-Forwarded-Proto": "https"}  # a proxy on this machine is trusted
    with desk.browser() as browser:
        page = browser.get("/sign-in", headers=tls)
        first = page.headers["set-cookie"]
        assert re.match("__Host-mh-form=.*; Secure", first)
        sent = tls | {"Cookie": first.partition(";")[0]}
        data = {"token": token, "form_token": form_token(page)}
        answer = browser.post("/sign-in", data=data, headers=sent, follow_redirects=False)
    assert re.match(r"__Host-mh-session=mhs_.*; Secure", answer.headers["set-cookie"])


def test_a_session_ends_when_one_signs_out_when_its_token_is_revoked_and_when_its_time_is_over(desk: Desk) -> None:
    with desk.signed_in("reviewer") as browser:
        page = browser.get("/account")
        cookie = browser.cookies["mh-session"]
        assert browser.post("/sign-out", data={"form_token": form_token(page)}).status_code == 200
        browser.cookies.set("mh-session", cookie)  # whoever kept it
        assert browser.get("/account").status_code == 401
    with desk.signed_in("maintainer") as browser:
        with desk.hub.database.write() as session:
            session.execute(update(SessionRow).values(expires="2026-01-02T03:04:05Z"))
        assert browser.get("/account").status_code == 401
    with desk.signed_in("reader") as browser:
        with desk.hub.database.write() as session:
            tokens.revoke_token(session, MAINTAINER, 3, "leaked")
        assert browser.get("/account").status_code == 401


def test_a_token_is_revoked_on_the_account_page(desk: Desk) -> None:
    with desk.signed_in("reviewer") as browser:
        data = {"reason": "old", "form_token": form_token(browser.get("/account"))}
        assert browser.post("/account/tokens/1/revoke", data=data).status_code == 401  # its own: signed out with it


def test_a_cookie_opens_no_endpoint_of_the_api(desk: Desk) -> None:
    with desk.signed_in("maintainer") as browser:
        assert browser.get("/v1/account").status_code == 401
        assert browser.post("/v1/catalogue/dcgan-litalien/1/yank", json={"reason": "x"}).status_code == 401


def test_a_signed_in_page_is_kept_by_no_cache(desk: Desk) -> None:
    with desk.signed_in("maintainer") as browser:
        assert browser.get("/review").headers["cache-control"] == "no-store"
        assert browser.get("/").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/sign-in", "/account", "/review", f"/review/submissions/{WAITING}", HEAD, "/review/log"])
def test_a_page_behind_the_sign_in_is_as_well_formed_as_the_others(desk: Desk, path: str) -> None:
    with desk.signed_in("maintainer") as browser:
        outline = Outline(browser.get(path).text)
    assert outline.open == []
    assert outline.headings[0] == 1
    assert len(outline.ids) == len(set(outline.ids))
    labels = {attributes["for"] for tag, attributes in outline.elements if tag == "label"}
    fields = [attributes for tag, attributes in outline.elements if tag in ("input", "textarea")]
    assert all(item.get("type") == "hidden" or "hidden" in item or item["id"] in labels for item in fields)
    for tag, attributes in outline.elements:
        assert tag not in ("script", "style")
        assert tag != "form" or attributes["method"] == "post"
