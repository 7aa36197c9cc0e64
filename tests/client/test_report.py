import re
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads_client import Bundle, attribute, report
from manyheads_client.pictures import NO_PICTURES, Pictures, draw_pictures
from manyheads_client.records import Record
from manyheads_client.report import build_report, select
from manyheads_client.sentences import claim
from manyheads_client.words import MEANINGS
from manyheads_shared.decision import Answer, State
from manyheads_shared.evidence import Examined, FailureRecord
from tests.support.evidence import make_record
from tests.support.makers import TIME


@pytest.fixture(scope="module")
def records(bundle: Bundle, lab: Path) -> list[Record]:
    return [result.entry for result in attribute([*sorted((lab / "images").iterdir()), b"x"], bundle, device="cpu")]


@pytest.fixture(scope="module")
def pictures(bundle: Bundle, records: list[Record]) -> Pictures:
    return draw_pictures(select(records).cards, bundle, device="cpu")


def build(records: list[Record], pictures: Pictures = NO_PICTURES) -> str:
    return build_report(select(records), pictures)


def rename(entry: Examined, name: str) -> Examined:
    item = entry.record.item.model_copy(update={"name": name})
    return replace(entry, record=entry.record.model_copy(update={"item": item}))


def test_every_state_is_counted_and_explained(records: list[Record], pictures: Pictures) -> None:
    page = build(records, pictures)
    for state in State:
        assert MEANINGS[state].means.replace("'", "&#39;") in page
        count = sum(isinstance(record, Examined) and record.state is state for record in records)
        assert re.search(rf'<div class="tile {state.value}( none)?"><b>{count}</b>', page)


def test_coverage_comes_before_any_result(records: list[Record]) -> None:
    page = build(records)
    assert page.index("can recognise images of 3 generators") < page.index("omega@1") < page.index('id="outcomes"')
    assert "claimed photographs of one camera too often" in page


def test_the_page_needs_nothing_from_elsewhere(records: list[Record], pictures: Pictures) -> None:
    page = build(records, pictures)
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_each_image_has_its_picture_and_overlays_of_what_speaks(records: list[Record], pictures: Pictures) -> None:
    for record in select(records).cards:
        found = pictures.find(record)
        assert found is not None
        speaking = {used.generator.title for used, result in record.heads if result.answer is not Answer.NO}
        assert {overlay.title for overlay in found.overlays} == {"detector", *speaking}
    assert pictures.scale is not None


def test_a_file_that_changed_gets_no_picture(records: list[Record], bundle: Bundle, lab: Path, tmp_path: Path) -> None:
    first = select(records).cards[0]
    moved = tmp_path / "moved.png"
    moved.write_bytes((lab / "images" / "001.png").read_bytes())
    renamed = rename(first, str(moved))
    assert draw_pictures([renamed], bundle, device="cpu").find(renamed) is None
    assert "No picture" in build([renamed])


def test_hostile_names_are_data(records: list[Record]) -> None:
    name = '<script>alert(1)</script>" onload="x\u202egnp.exe'
    first = select(records).cards[0]
    evil = rename(first, name)
    page = build([evil, FailureRecord.new(name=name, error="ImageError", reason="<b>", created=TIME)])
    assert "<script>" not in page
    assert "\u202e" not in page
    assert '<td class="text">&lt;b&gt;</td>' in page


def test_credentials_are_a_finding_of_their_own_with_their_reasons(records: list[Record]) -> None:
    first = select(records).cards[0]
    found = make_record().item.credentials
    assert found is not None
    spoilt = found.model_copy(update={"valid": False, "sources": ("trainedAlgorithmicMedia",), "generated": True})
    item = first.record.item.model_copy(update={"credentials": spoilt})
    page = build([replace(first, record=first.record.model_copy(update={"item": item}))])
    assert "not valid (signingCredential.untrusted); signer Golden Camera, not trusted here" in page
    assert "they name as source trainedAlgorithmicMedia: a trained algorithm made it, or part of it" in page


def test_a_ratio_that_was_not_measured_for_such_images_says_so() -> None:
    result = make_record().heads[0]
    assert claim("golden@1", result).endswith("for the proposition that it made the image.")
    assert "not validated for such images" in claim("golden@1", result.model_copy(update={"valid": False}))


def test_a_large_scan_shows_the_first_in_full_and_the_rest_as_rows(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "FULL_CARDS", 10)
    monkeypatch.setattr(report, "MAX_ROWS", 12)
    page = build(records)
    assert page.count('<article class="card') == 10
    assert page.count('<tr><td class="name"') == 12 + 1  # and the failure
    assert "18 more are in the record file" in page


def test_a_rare_verdict_is_shown_in_full_however_late_it_comes(records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "FULL_CARDS", 8)
    evidence = [record for record in records if isinstance(record, Examined)]
    usual = next(record for record in evidence if record.state is State.REAL)
    rare = next(record for record in evidence if record.state is State.MULTIPLE)
    cards = select([*[usual] * 500, rare]).cards
    assert [card.state for card in cards] == [State.REAL] * 7 + [State.MULTIPLE]


def test_a_scan_without_a_single_verdict_still_makes_a_page() -> None:
    page = build([FailureRecord.new(name="a.png", error="ImageError", reason="empty file", created=TIME)])
    assert "0 images examined" in page
    assert "empty file" in page


def test_nothing_is_called_a_probability_or_a_proof(records: list[Record]) -> None:
    text = re.sub(r"<[^>]+>", " ", build(records))
    assert "not probabilities" in text
    for word in ("proof", "proves", "guilty", "definitely", "certainly", "% sure"):
        assert word not in text.lower()
