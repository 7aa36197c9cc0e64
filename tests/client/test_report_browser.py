"""The report as a browser shows it: nothing is blocked, nothing is fetched, nothing runs over the edge."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from manyheads_client import Bundle, attribute
from manyheads_client.pictures import draw_pictures
from manyheads_client.report import build_report, select

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]


@pytest.fixture(scope="module")
def page_file(bundle: Bundle, lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = [*sorted((lab / "images").iterdir()), Path("a-long-name-without-any-gap-" * 8 + ".png")]
    selection = select(result.entry for result in attribute(images, bundle, device="cpu"))
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(build_report(selection, draw_pictures(selection.cards, bundle, device="cpu")))
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*FLAGS])
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [390, 760, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_fits_and_complains_of_nothing(browser: Browser, page_file: Path, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page, complaints, requests = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [page_file.as_uri()]
    context.close()
