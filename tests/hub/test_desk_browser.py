"""The pages behind the sign-in as a browser shows them: by keyboard, at two widths, and nothing is complained of."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from manyheads_hub.hub import Hub, open_hub
from tests.client.test_report_browser import FLAGS
from tests.support.gallery import make_gallery
from tests.support.live_hub import issue, serving

PATHS = ("/sign-in", "/account", "/review", "/review/submissions/e00000000002", "/review/heads/dcgan-litalien/1", "/review/log")
AXE = os.environ.get("AXE_CORE")  # axe.min.js, from `npm pack axe-core`

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    make_gallery(folder).database.close()
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


def sign_in(page: Page, url: str, token: str) -> None:
    """Sign in without a mouse: the form's field is reached by Tab, and Enter sends it."""
    page.goto(f"{url}/sign-in?next=/review")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "token":
            break
    page.keyboard.type(token)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/review")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_and_complains_of_nothing(
    *, browser: Browser, url: str, token: str, width: int, scheme: str, tmp_path: Path
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    sign_in(page, url, token)
    for path in PATHS:
        page.goto(url + path)
        assert page.evaluate("document.documentElement.scrollWidth") == width, path
        shots = Path(os.environ.get("SCREENSHOTS", tmp_path))
        page.screenshot(path=shots / f"{path.strip('/').replace('/', '-')}-{width}-{scheme}.png", full_page=True)
    assert complaints == []
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
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_complain_of(browser: Browser, url: str, token: str, scheme: str) -> None:
    context = browser.new_context(bypass_csp=True, color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    sign_in(page, url, token)
    for path in PATHS:
        page.goto(url + path)
        page.add_script_tag(path=AXE)
        violations = page.evaluate("axe.run().then(found => found.violations.map(one => [one.id, one.nodes[0].html]))")
        assert violations == [], path
    context.close()
