"""The pages as a browser gets them, from a hub full of rows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from manyheads_hub.hub import Hub
from manyheads_shared.digest import digest_bytes, hex_of
from tests.support.gallery import GENERATORS, PRIMARY, YANK_REASON, head_digest, make_empty_hub, make_gallery
from tests.support.live_hub import serving

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
EVERY_PAGE = (
    "/",
    "/heads/dcgan-litalien/1",
    "/heads/began-sunshineatnoon/1",
    "/submissions",
    "/submissions/c00000000001",
    "/submissions/e00000000002",
    "/bundles",
    "/bundles/1",
    "/bundles/3",
    "/upgrades",
    "/nowhere",
)
VOID = {"meta", "link", "img", "br", "input", "hr"}
SHAPES = {"path", "circle", "line", "rect"}  # our SVG closes them at once


@contextmanager
def browsing(hub: Hub) -> Iterator[httpx.Client]:
    hub.database.close()
    with serving(hub.settings.folder) as url, httpx.Client(base_url=url, headers=BROWSER) as client:
        yield client


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with browsing(make_gallery(tmp_path_factory.mktemp("hub"))) as client:
        yield client


class Outline(HTMLParser):
    """What a check needs to know of a page: nesting, headings, ids, attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHAPES
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_a_page_is_well_formed_and_its_headings_are_in_order(browser: httpx.Client, path: str) -> None:
    outline = Outline(browser.get(path).text)
    assert outline.open == []
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(outline.headings))
    assert len(outline.ids) == len(set(outline.ids))


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_a_page_holds_no_script_no_inline_style_and_nothing_foreign(browser: httpx.Client, path: str) -> None:
    response = browser.get(path)
    for tag, attributes in Outline(response.text).elements:
        assert tag not in ("script", "style", "iframe", "base")
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        for name in ("src", "href"):
            assert (attributes.get(name) or "/").startswith(("/", "#", "?"))
    assert "script-src" not in response.headers["content-security-policy"]
    assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_every_link_of_a_page_to_another_page_works(browser: httpx.Client, path: str) -> None:
    elements = Outline(browser.get(path).text).elements
    targets = {value for _, attributes in elements for name in ("href", "src") if (value := attributes.get(name))}
    for target in sorted(targets):
        if target.startswith("/") and not target.startswith("/v1/objects/"):  # the gallery's objects have no bytes
            assert browser.get(target).status_code == 200, target


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_table_headers_have_a_scope_and_pictures_a_text(browser: httpx.Client, path: str) -> None:
    for tag, attributes in Outline(browser.get(path).text).elements:
        if tag == "th":
            assert attributes["scope"] in ("col", "row", "rowgroup")
        if tag == "img":
            assert attributes["alt"]
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or attributes.get("aria-labelledby")


def test_the_catalogue_names_the_primary_the_bundle_and_every_head(browser: httpx.Client) -> None:
    text = browser.get("/").text
    assert "faces64@1" in text
    assert PRIMARY in text
    assert 'href="/bundles/3"' in text
    for name in GENERATORS:
        assert f'href="/heads/{name}/1"' in text
    assert YANK_REASON in text


def test_the_catalogue_gives_recall_and_the_worst_source_with_its_bound(browser: httpx.Client) -> None:
    text = browser.get("/").text
    assert "77.5\u202f%" in text
    assert "61.5 to 89.2\u202f%" in text
    assert "≤ 13.2\u202f%" in text
    assert "lsgan-litalien, measured 2.5\u202f%" in text


def test_commands_on_the_catalogue_carry_the_address_the_reader_came_by(browser: httpx.Client) -> None:
    text = re.sub("<[^>]+>", "", browser.get("/", headers={"Host": "hub.example:8443"}).text)
    assert "manyheads pull http://hub.example:8443 --root root.json" in text
    assert "--hub http://hub.example:8443 --token-file" in text


def test_an_empty_hub_says_what_comes_next(tmp_path: Path) -> None:
    with browsing(make_empty_hub(tmp_path / "hub")) as browser:
        assert "No head is listed yet" in browser.get("/").text
        assert "None is published yet" in browser.get("/").text
        assert "Nothing has been submitted yet" in browser.get("/submissions").text
        assert "No bundle is published yet" in browser.get("/bundles").text


def test_a_head_card_shows_figures_identity_and_limits(browser: httpx.Client) -> None:
    text = browser.get("/heads/dcgan-litalien/1").text
    assert "31 of 40" in text
    assert "27 of 32" in text
    assert f'href="/v1/objects/{head_digest("dcgan-litalien")}"' in text
    assert "What the figures do not say" in text
    assert "Recall rests on 40 proof images" in text


def test_a_head_card_tells_which_other_heads_claim_its_images(browser: httpx.Client) -> None:
    text = browser.get("/heads/dcgan-litalien/1").text
    _, _, after = text.partition("Who else says yes to images of dcgan-litalien")
    assert after.index("/heads/wgan-litalien/2") < after.index("/heads/began-anantzoid/1")
    assert "/heads/wgan-litalien/1" not in after  # replaced
    assert "/heads/began-sunshineatnoon/1" not in after  # yanked


def test_a_yanked_head_keeps_its_card_with_the_reason(browser: httpx.Client) -> None:
    response = browser.get("/heads/began-sunshineatnoon/1")
    assert response.status_code == 200
    assert YANK_REASON in response.text


def test_pictures_of_accepted_heads_are_sent(browser: httpx.Client) -> None:
    source = re.search(r'src="(/pictures/[0-9a-f]{64}\.png)"', browser.get("/heads/dcgan-litalien/1").text)
    assert source is not None
    response = browser.get(source[1])
    assert response.headers["content-type"] == "image/png"
    assert response.content.startswith(b"\x89PNG")


def test_no_other_blob_leaves_as_a_picture(tmp_path: Path) -> None:
    hub = make_gallery(tmp_path / "hub")
    proof = hub.blobs.put(b"secret proof of lsgan-litalien@1")
    with browsing(hub) as browser:
        assert browser.get(f"/pictures/{hex_of(proof)}.png").status_code == 404
        assert browser.get("/pictures/..%2F..%2Fhub.sqlite.png").status_code == 404


@pytest.mark.parametrize("path", ["/submissions", "/submissions/c00000000001"])
def test_a_refused_submission_shows_strangers_its_reasons_and_no_figure_or_proof(browser: httpx.Client, path: str) -> None:
    text = browser.get(path).text
    assert "It claims too few of its owner&#39;s proof images." in text
    assert "%" not in text
    assert "<img" not in text
    assert hex_of(digest_bytes(b"secret proof of lsgan-litalien@1")) not in text


def test_a_waiting_submission_tells_its_place_in_the_queue(browser: httpx.Client) -> None:
    assert re.search(r"It is (next|number \d+) in the queue", browser.get("/submissions/e00000000002").text)


def test_submissions_past_the_end_show_the_last_page(browser: httpx.Client) -> None:
    assert "lsgan-litalien" in browser.get("/submissions?page=99").text
    assert browser.get("/submissions?page=0").status_code == 422


def test_a_bundle_page_shows_thresholds_budgets_and_who_was_left_out(browser: httpx.Client) -> None:
    text = browser.get("/bundles/3").text
    assert "−1.40" in text  # noqa: RUF001 - a true minus sign
    assert "4 heads share that budget, 0.25\u202f% each" in text
    assert "too few for its promise" in text
    assert "wgan-litalien@2 took its place" in text


def test_an_old_bundle_says_which_one_is_current(browser: httpx.Client) -> None:
    text = browser.get("/bundles/2").text
    assert 'href="/bundles/3"' in text
    assert "manyheads pull" not in text


NOT_THERE = ("/heads/none/1", "/bundles/99", f"/bundles/{10**20}", "/submissions/none", "/static/none.css", "/nowhere")


@pytest.mark.parametrize("path", NOT_THERE)
def test_what_is_not_there_is_a_page_for_a_browser_and_a_problem_for_others(browser: httpx.Client, path: str) -> None:
    page = browser.get(path)
    problem = browser.get(path, headers={"Accept": "application/json"})
    assert page.status_code == problem.status_code == 404
    assert "<h1>Not Found</h1>" in page.text
    assert problem.headers["content-type"] == "application/problem+json"


def test_the_api_answers_a_browser_with_problem_documents_too(browser: httpx.Client) -> None:
    assert browser.get("/v1/nowhere").headers["content-type"] == "application/problem+json"


def test_what_others_wrote_is_escaped(tmp_path: Path) -> None:
    hub = make_gallery(tmp_path / "hub")
    with hub.database.write() as session:
        session.connection().exec_driver_sql("UPDATE heads SET reason = '<script>x</script>' WHERE state = 'yanked'")
    with browsing(hub) as browser:
        text = browser.get("/heads/began-sunshineatnoon/1").text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_the_pages_stay_out_of_the_api_description(browser: httpx.Client) -> None:
    assert all(path.startswith(("/v1/", "/tuf/")) for path in browser.get("/v1/openapi.json").json()["paths"])
