"""Lists that grow with the hub: a page at a time, in one order on every database, and no page that grows with the catalogue."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import Request, Response

from manyheads_hub.catalogue import service as catalogue
from manyheads_hub.catalogue.search import Search
from manyheads_hub.evaluations.suite import load_suite
from manyheads_hub.hub import Hub
from manyheads_hub.pages.overlap import build_overlap, claims_on
from manyheads_hub.paging import Pager, cut
from tests.hub.test_plots import make_entry
from tests.support.gallery import make_generator
from tests.support.live_hub import serving
from tests.support.shelf import add_heads

MANY = 120


@pytest.fixture
def browser(hub: Hub) -> Iterator[httpx.Client]:
    add_heads(hub, [f"crowd{i:03}" for i in range(MANY)])
    hub.database.close()
    with serving(hub.settings.folder) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.mark.parametrize(
    ("query", "number", "items", "link"),
    [
        ("", 1, [0, 1, 2, 3], '<?page=2>; rel="next"'),
        (
            "text=a%26b&owner=&state=listed&state=yanked",
            1,
            [0, 1, 2, 3],
            '<?text=a%26b&state=listed&state=yanked&page=2>; rel="next"',
        ),
        ("page=2", 2, [4, 5, 6], None),
        ("page=3", 3, [], None),
    ],
)
def test_a_program_gets_a_page_and_the_way_to_the_next(query: str, number: int, items: list[int], link: str | None) -> None:
    request, response = Request({"type": "http", "query_string": query.encode()}), Response()
    found = Pager(request, response, number).answer(lambda limit, offset: list(range(7))[offset : offset + limit], size=4)
    assert (found, response.headers.get("Link")) == (items, link)


def test_a_person_past_the_end_sees_the_last_page() -> None:
    page = cut(lambda limit, offset: list(range(120))[offset : offset + limit], 120, 99)
    assert (page.number, page.count, page.items[0], page.items[-1]) == (3, 3, 100, 119)


@pytest.mark.parametrize("ground", ["sqlite+directory", "postgres+directory"], indirect=True)
def test_names_are_in_the_order_of_their_bytes_on_every_database(hub: Hub) -> None:
    names = ["a.b", "ab", "a-b", "a_b", "a1", "b", "aa"]
    add_heads(hub, names)
    with hub.database.read() as session:
        found = [entry.generator.name for entry in catalogue.list_entries(session, Search(), 3)]
        found += [entry.generator.name for entry in catalogue.list_entries(session, Search(), 10, 3)]
    assert found == sorted(names)


def test_the_catalogue_is_read_to_its_end_by_following_links(browser: httpx.Client) -> None:
    answers = [browser.get("/v1/catalogue")]
    while "next" in answers[-1].links:
        answers.append(browser.get(str(answers[-1].url.join(answers[-1].links["next"]["url"]))))
    names = [entry["generator"]["name"] for answer in answers for entry in answer.json()]
    assert [len(answer.json()) for answer in answers] == [100, 20]
    assert names == sorted(set(names))


def test_the_catalogue_page_shows_25_heads_and_links_the_rest(browser: httpx.Client) -> None:
    first, last = browser.get("/").text, browser.get("/?page=5").text
    assert first.count('data-label="AUROC"') == 25
    assert last.count('data-label="AUROC"') == 20
    assert 'href="?page=2"' in first
    assert "Page 5 of 5" in last
    assert first.count("<rect") < 2 * 25 * 40  # of every head on every source there would be 120 rows


def test_a_heads_page_does_not_grow_with_the_catalogue(browser: httpx.Client) -> None:
    text = browser.get("/heads/crowd007/1").text
    assert "crowd007" in text
    assert not [name for name in (f"crowd{i:03}" for i in range(MANY)) if name != "crowd007" and name in text]


def test_heads_no_longer_listed_are_counted_where_they_are_not_shown(hub: Hub) -> None:
    add_heads(hub, [f"gone{i:03}" for i in range(60)], state="yanked")
    hub.database.close()
    with serving(hub.settings.folder) as url:
        text = httpx.get(url, timeout=60).text
    assert text.count('data-label="State"') == 50
    assert "And 10 more" in text


@pytest.mark.parametrize("ground", ["sqlite+directory", "postgres+directory"], indirect=True)
def test_only_heads_measured_on_a_generator_are_read_for_its_page(hub: Hub) -> None:
    add_heads(hub, ["dcgan-litalien", "crowd000", "crowd001"])
    with hub.database.read() as session:
        named = catalogue.list_measured_on(session, "dcgan-litalien", "1")
        unnamed = catalogue.list_measured_on(session, "crowd000", "1")
    assert [entry.generator.name for entry in named] == ["crowd000", "crowd001"]
    assert unnamed == []
    claims = claims_on(make_generator("dcgan-litalien"), named)
    assert [(generator.name, claim.hits) for generator, claim in claims] == [("crowd000", 3), ("crowd001", 3)]


def test_a_picture_keeps_own_columns_and_those_with_the_highest_shares() -> None:
    whole = build_overlap([make_entry("dcgan-litalien"), make_entry("began-hee9joon")])
    narrow = whole.strongest(4)
    names = [source.name for source in narrow.sources]
    assert len(names) == 4
    assert {"dcgan-litalien", "began-hee9joon", "dcgan-hee9joon", "wgan-gp-hee9joon"} == set(names)
    assert [source for source in whole.sources if source in narrow.sources] == list(narrow.sources)
    assert whole.strongest(99) == whole


def test_a_suites_digest_is_computed_once(hub: Hub, tmp_path: Path) -> None:
    suite = load_suite(hub.suite_folder(), {})
    assert suite.digest is suite.digest
