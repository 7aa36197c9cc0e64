"""The local page in a browser: a sitting as an examiner has it, by mouse and by keyboard, at two sizes, light and dark."""

import base64
import re
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from manyheads_client.examine.serving import Address
from manyheads_client.records import read_records
from manyheads_shared.evidence import Examined, FailureRecord
from tests.client.test_report_browser import FLAGS
from tests.support.axe import VERSION, find_axe

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]

Scheme = Literal["light", "dark"]
BEAMER = (853, 480)  # 1280x720 at 150 %
SIZES = ((390, 844), BEAMER, (1280, 720), (1440, 900))
WAIT_MS = 30_000
DROP = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, { type: "image/png" }));
  for (const kind of ["dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true }));
}"""
PASTE = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, { type: "image/png" }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: files, bubbles: true }));
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*FLAGS])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: Address) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    page, complaints = context.new_page(), list[str]()
    page.set_default_timeout(WAIT_MS)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address.once)
    yield page
    context.close()
    assert complaints == []  # of the content security policy, above all


@pytest.fixture
def files(lab: Path) -> list[Path]:
    return [lab / "images" / name for name in ("001.png", "004.png")]


def hand_over(page: Page, script: str, file: Path) -> None:
    page.evaluate(script, [file.name, base64.b64encode(file.read_bytes()).decode()])


def entry(page: Page, name: str) -> Locator:
    return page.locator(".open", has_text=name)


def give(page: Page, files: list[Path]) -> None:
    page.set_input_files("#files", files)
    expect(entry(page, files[0].name)).to_have_attribute("aria-current", "true", timeout=WAIT_MS)
    expect(page.locator("#status")).to_contain_text("Examined", timeout=WAIT_MS)
    expect(page.locator(".window[data-zoom]").first).to_be_visible()


def zoom(page: Page) -> float:
    window = page.locator(".window").first
    expect(window).to_have_attribute("data-zoom", re.compile(r"\d"))  # drawn: the picture has loaded
    return float(window.get_attribute("data-zoom") or 0)


def test_dropped_chosen_and_pasted_images_get_verdicts(page: Page, files: list[Path], lab: Path) -> None:
    hand_over(page, DROP, files[0])
    expect(entry(page, "001.png")).to_contain_text("attributed", timeout=WAIT_MS)
    hand_over(page, PASTE, files[1])
    expect(entry(page, "004.png")).to_contain_text("inconclusive", timeout=WAIT_MS)
    give(page, [lab / "images" / "003.png"])

    expect(page.locator("main h2")).to_have_text("003.png")
    page.get_by_role("button", name="001.png").first.click()
    expect(page.locator("main .verdict").first).to_contain_text("claimed by one generator's head")


def test_the_slider_sets_how_much_of_the_saliency_is_seen(page: Page, files: list[Path]) -> None:
    give(page, files[:1])
    slider, map_ = page.locator(".opacity").first, page.locator(".map").first

    expect(map_).to_have_css("opacity", "0.5")
    slider.fill("80")
    expect(map_).to_have_css("opacity", "0.8")
    slider.press("Home")
    expect(map_).to_have_css("opacity", "0")


def test_another_head_can_be_chosen(page: Page, files: list[Path]) -> None:
    give(page, files[:1])
    with page.expect_response(lambda answer: "saliency/3.png" in answer.url) as answer:
        page.locator(".network").first.select_option(label="gamma@1, no")

    assert answer.value.status == 200


def test_the_picture_zooms_to_its_pixels_by_keyboard_wheel_and_button(page: Page, files: list[Path]) -> None:
    give(page, files[:1])
    window, fitted = page.locator(".window").first, zoom(page)

    window.press("+")
    assert zoom(page) > fitted
    window.press("0")
    assert zoom(page) == fitted
    window.hover()
    page.mouse.wheel(0, -300)
    expect(window).not_to_have_attribute("data-zoom", f"{fitted:.2f}")
    page.get_by_role("button", name="Pixels").click()
    assert zoom(page) == 8
    expect(page.locator(".picture").first).to_have_css("image-rendering", "pixelated")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    before = page.locator(".stage").first.get_attribute("style")
    window.press("ArrowRight")
    after_key = page.locator(".stage").first.get_attribute("style")
    box = window.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 120)
    page.mouse.up()
    assert len({before, after_key, page.locator(".stage").first.get_attribute("style")}) == 3


def test_what_disagrees_stands_side_by_side_and_moves_together(page: Page, files: list[Path]) -> None:
    give(page, files[1:])
    windows = page.locator("main .two .window")

    expect(windows).to_have_count(2)
    windows.nth(1).press("+")
    assert windows.nth(0).get_attribute("data-zoom") == windows.nth(1).get_attribute("data-zoom")


def test_a_degraded_copy_shows_how_verdict_and_bars_change(page: Page, files: list[Path]) -> None:
    give(page, files[:1])
    page.get_by_label("JPEG", exact=True).fill("40")
    expect(page.locator(".knob output").last).to_have_text("40")
    page.get_by_role("button", name="Try again").click()

    outcome = page.get_by_role("region", name="The changed copy")
    expect(outcome).to_contain_text("jpeg 40")
    expect(outcome.locator(".before")).to_have_count(4)
    expect(outcome.locator(".picture")).to_have_count(2)
    page.get_by_role("button", name="Back to the original").click()
    expect(outcome).to_have_count(0)
    expect(page.locator(".knob output").last).to_have_text("off")


def test_two_images_are_compared(page: Page, files: list[Path]) -> None:
    give(page, files)
    page.get_by_role("button", name="Compare", exact=True).click()

    beside = page.get_by_role("region", name="Two images beside each other")
    expect(beside.locator(".window[data-zoom]")).to_have_count(2)
    expect(beside.locator(".bars")).to_have_count(2)


def test_a_hostile_file_is_told_in_one_line_and_the_others_go_on(page: Page, files: list[Path], tmp_path: Path) -> None:
    hostile = tmp_path / "bad.png"
    hostile.write_bytes(b"\x89PNG\r\n\x1a\n")
    page.set_input_files("#files", [hostile, files[0]])
    expect(entry(page, "001.png")).to_have_attribute("aria-current", "true", timeout=WAIT_MS)

    expect(page.locator("#status")).to_contain_text("bad.png: ", timeout=WAIT_MS)
    expect(page.locator(".failure")).to_contain_text("could not be examined")
    page.get_by_role("button", name="Remove bad.png").click()
    expect(page.locator(".failure")).to_have_count(0)


def test_a_sitting_is_exported_and_read_again(page: Page, files: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"x")
    page.set_input_files("#files", [*files, bad])
    expect(page.locator("#status")).to_contain_text("bad.png: ", timeout=WAIT_MS)  # the last of the three
    for name in ("Records", "Report"):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        download.value.save_as(tmp_path / download.value.suggested_filename)

    records = list(read_records(tmp_path / "examined.jsonl"))
    assert [type(record) for record in records] == [Examined, Examined, FailureRecord]
    assert [record.name for record in records if isinstance(record, Examined)] == ["001.png", "004.png"]
    assert "2 images examined" in (tmp_path / "examined.html").read_text()


def test_the_sitting_is_still_there_after_the_page_is_loaded_again(page: Page, files: list[Path], address: Address) -> None:
    give(page, files)
    page.reload()

    expect(page.locator("main h2")).to_have_text("001.png")
    assert page.url == address.lasting


def test_the_scale_of_colours_is_one_for_all(page: Page, files: list[Path]) -> None:
    give(page, files)
    page.get_by_label("Colours end at").fill("7.5")
    page.get_by_role("button", name="Set", exact=True).click()

    expect(page.locator(".scale-key").first).to_contain_text("+7.5 for")
    page.get_by_role("button", name="Fit to all").click()
    expect(page.locator(".scale-key").first).not_to_contain_text("+7.5 for")


@pytest.mark.parametrize(("size", "scheme"), tuple(product(SIZES, ("light", "dark"))))
def test_the_page_fits_and_complains_of_nothing(
    *, browser: Browser, address: Address, files: list[Path], tmp_path: Path, size: tuple[int, int], scheme: Scheme
) -> None:
    """axe-core looks at it too, where npm can be reached, with everything unfolded."""
    long = tmp_path / ("a-long-name-without-any-gap-" * 8 + ".png")
    long.write_bytes(files[1].read_bytes())
    width, height = size
    context = browser.new_context(bypass_csp=True, viewport={"width": width, "height": height}, color_scheme=scheme)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(address.lasting)
    give(page, [long, files[0]])
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".outcome .window[data-zoom]").first).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator(".comparison .window[data-zoom]").first).to_be_visible(timeout=WAIT_MS)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    page.wait_for_load_state("networkidle")

    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.wait_for_function("[...document.images].every(image => image.naturalWidth > 0)", timeout=WAIT_MS)
    assert complaints == []
    axe = find_axe()
    if axe is None:
        pytest.skip(f"npm does not give axe-core {VERSION}")
    page.add_script_tag(path=axe)
    violations = page.evaluate("axe.run().then(found => found.violations.map(one => [one.id, one.nodes.map(n => n.html)]))")
    context.close()
    assert violations == []
