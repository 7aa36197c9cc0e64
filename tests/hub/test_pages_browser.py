"""Every page as a browser shows it: at two widths, light and dark, by keyboard, and nothing is complained of."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal, get_type_hints

import pytest
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.pages import desk
from manyheads_hub.pages import routes as pages
from tests.client.test_report_browser import FLAGS
from tests.hub.test_pages import EVERY_PAGE
from tests.support.gallery import make_empty_hub, make_gallery
from tests.support.live_hub import enrol, issue, serving

OF_ANYONE = (
    *EVERY_PAGE,
    "/?text=began&recall=0.8",
    "/?text=nothing",
    "/submissions/a00000000000",
    "/submissions/d00000000001",
    "/bundles/2",
    "/sign-in",
    "/review",
)
OF_A_MAINTAINER = (
    "/account",
    "/review",
    "/review/submissions/a00000000000",
    "/review/submissions/c00000000001",
    "/review/submissions/e00000000002",
    "/review/heads/dcgan-litalien/1",
    "/review/heads/began-sunshineatnoon/1",
    "/review/log",
    "/review/submissions/nowhere",
)
OF_AN_OWNER = ("/account", "/review")
OF_AN_EMPTY_HUB = ("/", "/submissions", "/bundles")
LOOKS = pytest.mark.parametrize(("width", "scheme"), tuple(product((390, 1280), ("light", "dark"))))
AXE = os.environ.get("AXE_CORE")  # axe.min.js, from `npm pack axe-core`

Scheme = Literal["light", "dark"]


@dataclass(frozen=True)
class Visit:
    """Somebody at a hub, and the pages they open."""

    who: str
    url: str
    paths: tuple[str, ...]
    token: str | None = None

    def open(self, page: Page) -> tuple[str, ...]:
        """Sign in, whoever can."""
        if self.token is not None:
            sign_in(page, self.url, self.token)
        return self.paths


pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    made = make_gallery(folder)
    made.database.close()
    replace(made.settings, limits=replace(made.settings.limits, sign_ins_per_minute=1000)).write()  # a visit in every look
    with open_hub(folder) as hub:
        yield hub


@pytest.fixture(scope="module")
def url(hub: Hub) -> Iterator[str]:
    with serving(hub.settings.folder) as url:
        yield url


@pytest.fixture(scope="module")
def token(hub: Hub) -> str:
    return issue(hub, "joan", "maintainer")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*FLAGS])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def visits(hub: Hub, url: str, token: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Visit]]:
    """Everybody who may look at a page, and what they look at."""
    owner = enrol(hub, "ada", ["a-generator-whose-name-is-as-long-as-a-name-may-be-64-characters"]).token
    empty = make_empty_hub(tmp_path_factory.mktemp("empty"))
    empty.database.close()
    with serving(empty.settings.folder) as nothing:
        yield [
            Visit("anyone", url, OF_ANYONE),
            Visit("maintainer", url, OF_A_MAINTAINER, token),
            Visit("owner", url, OF_AN_OWNER, owner),
            Visit("empty", nothing, OF_AN_EMPTY_HUB),
        ]


def sign_in(page: Page, url: str, token: str) -> None:
    """Sign in without a mouse: the form's field is reached by Tab, and Enter sends it."""
    page.goto(f"{url}/sign-in")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "token":
            break
    page.keyboard.type(token)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/account")


def test_every_page_that_a_hub_has_is_looked_at() -> None:
    routes = [route for route in (*pages.router.routes, *desk.router.routes) if isinstance(route, APIRoute)]
    of_html = [route for route in routes if get_type_hints(route.endpoint).get("return") is HTMLResponse]
    assert len(of_html) > 10
    for route in of_html:
        assert any(route.path_regex.match(path) for path in (*OF_ANYONE, *OF_A_MAINTAINER)), route.path


@LOOKS
def test_every_page_fits_and_complains_of_nothing(
    *, browser: Browser, visits: list[Visit], width: int, scheme: Scheme, tmp_path: Path
) -> None:
    shots = Path(os.environ.get("SCREENSHOTS", tmp_path))
    for visit in visits:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page, complaints = context.new_page(), list[ConsoleMessage]()
        page.on("console", partial(list.append, complaints))
        for path in visit.open(page):
            answer = page.goto(visit.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") == width, (visit.who, path)
            page.screenshot(path=shots / f"{visit.who}{path.replace('/', '-')}-{width}-{scheme}.png", full_page=True)
            refused = answer is not None and answer.status >= 400
            assert [each.text for each in complaints if not (refused and each.location["url"] == visit.url + path)] == [], path
            complaints.clear()
        context.close()


def test_a_head_is_yanked_by_keyboard_alone(browser: Browser, url: str, token: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, url, token)
    page.goto(f"{url}/review/heads/began-anantzoid/1")
    page.focus("#yank-form")
    page.keyboard.type("claims cats")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".banner.yanked")
    assert "claims cats" in page.inner_text(".banner")
    context.close()


@pytest.mark.skipif(AXE is None, reason="needs axe-core: set AXE_CORE to its axe.min.js")
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_axe_finds_nothing_to_complain_of(*, browser: Browser, visits: list[Visit], width: int, scheme: Scheme) -> None:
    found = []
    for visit in visits:
        size = {"width": width, "height": 900}
        context = browser.new_context(bypass_csp=True, viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        for path in visit.open(page):
            page.goto(visit.url + path)
            page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
            page.add_script_tag(path=AXE)
            violations = page.evaluate("axe.run().then(found => found.violations.map(one => [one.id, one.nodes[0].html]))")
            found += [(visit.who, path, violation) for violation in violations]
        context.close()
    assert found == []
