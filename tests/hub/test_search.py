"""Looking for heads: by name, owner, level, state, primary, size and recall; and which to take, or why none fits."""

from collections.abc import Iterator

import httpx
import pytest

from manyheads_hub.catalogue import resolver
from manyheads_hub.catalogue import service as catalogue
from manyheads_hub.catalogue.search import LISTED, UNLISTED, Search
from manyheads_hub.errors import NoFittingHeadError, NotFoundError
from manyheads_hub.hub import Hub
from manyheads_hub.primaries import queries as primaries
from manyheads_shared.digest import Digest, digest_bytes
from tests.support.live_hub import enrol, publish_primary, serving
from tests.support.makers import SIZE
from tests.support.shelf import add_head
from tests.support.world import trained_primary

FIRST, SECOND = (digest_bytes(trained_primary(version)) for version in ("1", "2"))
ON_BOTH_DATABASES = pytest.mark.parametrize("ground", ["sqlite+directory", "postgres+directory"], indirect=True)


@pytest.fixture
def shelf(hub: Hub) -> Hub:
    enrol(hub, "ada", ["alpha"])
    enrol(hub, "bob", ["beta"])
    add_head(hub, "began-hee9joon", recall=40)
    add_head(hub, "began-other", owner="bob", recall=20, level="architecture")
    add_head(hub, "dcgan-litalien", owner="bob", recall=36)
    add_head(hub, "wgan_gp", state="yanked", reason="claims cats")
    add_head(hub, "wganxgp", state="quarantined", reason="a trigger")
    return hub


@ON_BOTH_DATABASES
@pytest.mark.parametrize(
    ("search", "found"),
    [
        (Search(), ["began-hee9joon", "began-other", "dcgan-litalien", "wgan_gp", "wganxgp"]),
        (LISTED, ["began-hee9joon", "began-other", "dcgan-litalien"]),
        (UNLISTED, ["wgan_gp", "wganxgp"]),
        (Search().among("yanked"), ["wgan_gp"]),
        (Search(text="BEGAN"), ["began-hee9joon", "began-other"]),
        (Search(text="gan_"), ["wgan_gp"]),  # no wildcard
        (Search(text="%"), []),
        (Search(owner="bob"), ["began-other", "dcgan-litalien"]),
        (Search(owner="bo"), []),
        (Search(level="architecture"), ["began-other"]),
        (Search(recall=0.9), ["began-hee9joon"]),  # 40 of 40: from 91.2 %; 36 of 40: from 76.3 %
        (Search(recall=0.75, owner="bob"), ["dcgan-litalien"]),
        (Search(primary=FIRST), ["began-hee9joon", "began-other", "dcgan-litalien", "wgan_gp", "wganxgp"]),
        (Search(primary=SECOND), []),
        (Search(image_size=SIZE, text="dcgan"), ["dcgan-litalien"]),
        (Search(image_size=SIZE + 1), []),
    ],
)
def test_a_search_finds_what_is_asked_for_on_every_database(shelf: Hub, search: Search, found: list[str]) -> None:
    with shelf.database.read() as session:
        assert [entry.generator.name for entry in catalogue.list_entries(session, search, 10)] == found
        assert catalogue.count_entries(session, search) == len(found)


@pytest.fixture
def browser(shelf: Hub) -> Iterator[httpx.Client]:
    for i in range(120):
        add_head(shelf, f"crowd{i:03}", owner="bob", recall=30 if i % 2 else 40)
    shelf.database.close()
    with serving(shelf.settings.folder) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_what_is_looked_for_stays_from_page_to_page(browser: httpx.Client) -> None:
    first = browser.get(
        "/v1/catalogue", params={"text": "crowd", "owner": "bob", "state": ["listed", "yanked"], "level": "any"}
    )
    rest = browser.get(str(first.url.join(first.links["next"]["url"])))
    assert (len(first.json()), len(rest.json()), "next" in rest.links) == (100, 20, False)
    page = browser.get("/", params={"text": "crowd", "recall": "0.9", "owner": "", "level": "any"}).text
    assert page.count('data-label="AUROC"') == 25
    assert "60 listed heads found" in page
    assert 'href="?text=crowd&amp;recall=0.9&amp;level=any&amp;page=2"' in page


def test_a_page_shows_what_was_asked_for_and_that_nothing_is_like_it(browser: httpx.Client) -> None:
    page = browser.get("/", params={"text": '"><script>', "recall": "0.95"}).text
    assert "No listed head is like that" in page
    assert 'value="&#34;&gt;&lt;script&gt;"' in page
    assert '<option value="0.95" selected>' in page
    assert "No head is listed yet" not in page


@pytest.mark.parametrize(
    "wrong", [{"recall": "1.5"}, {"recall": "much"}, {"state": "lost"}, {"primary": "abc"}, {"text": "a" * 101}]
)
def test_a_search_that_cannot_be_is_refused_by_name(browser: httpx.Client, wrong: dict[str, str]) -> None:
    answer = browser.get("/v1/catalogue", params=wrong)
    assert answer.status_code == 422
    assert next(iter(wrong)) in answer.json()["detail"]


def test_the_listed_head_is_the_one_to_take(shelf: Hub) -> None:
    with shelf.database.read() as session:
        found = resolver.resolve(session, "began-hee9joon", None)
    assert (found.head.generator.title, found.note) == ("began-hee9joon@1", None)


def test_what_became_of_newer_heads_is_said(shelf: Hub) -> None:
    add_head(shelf, "began-hee9joon", "2", state="yanked", reason="claims cats", accepted="2026-02-01T00:00:00Z")
    with shelf.database.read() as session:
        found = resolver.resolve(session, "began-hee9joon", FIRST)
    assert (found.head.generator.version, found.note) == ("1", "began-hee9joon@2 is yanked (claims cats)")


def test_on_an_earlier_primary_its_own_head_is_found_and_on_the_new_one_the_new(shelf: Hub) -> None:
    publish_primary(shelf, trained_primary("2"))
    with shelf.database.read() as session:
        alone = resolver.resolve(session, "dcgan-litalien", FIRST)
    assert alone.head.state == "obsolete"
    assert alone.note is not None
    assert alone.note == alone.head.reason
    add_head(shelf, "dcgan-litalien", "2", primary=SECOND, accepted="2027-02-01T00:00:00Z")
    with shelf.database.read() as session:
        earlier, current = (resolver.resolve(session, "dcgan-litalien", primary) for primary in (FIRST, None))
        newest = primaries.current(session)
    assert newest is not None
    assert (earlier.head.generator.version, current.head.generator.version, current.note) == ("1", "2", None)
    assert earlier.note == f"dcgan-litalien@2 stands on primary {newest.name}@{newest.version}"


def test_a_generator_without_a_fitting_head_is_refused_with_what_there_is(shelf: Hub) -> None:
    publish_primary(shelf, trained_primary("2"))
    with shelf.database.read() as session:
        with pytest.raises(
            NoFittingHeadError, match=r"^no head of began-other can be used on primary .*@2: began-other@1 stands on .*@1$"
        ):
            resolver.resolve(session, "began-other", None)
        with pytest.raises(NoFittingHeadError, match=r"wgan_gp@1 is yanked \(claims cats\)$"):
            resolver.resolve(session, "wgan_gp", FIRST)


@pytest.mark.parametrize(("generator", "primary"), [("nobody", None), ("began-other", digest_bytes(b"no primary"))])
def test_what_the_hub_never_had_is_not_found(shelf: Hub, generator: str, primary: Digest | None) -> None:
    with shelf.database.read() as session, pytest.raises(NotFoundError):
        resolver.resolve(session, generator, primary)


def test_the_api_resolves_and_says_why_not(browser: httpx.Client) -> None:
    assert browser.get("/v1/catalogue/crowd000").json()["head"]["generator"]["version"] == "1"
    refused = browser.get("/v1/catalogue/wganxgp", params={"primary": FIRST})
    assert (refused.status_code, refused.json()["code"]) == (409, "no-fitting-head")
    assert "quarantined (a trigger)" in refused.json()["detail"]
