"""The report on paper, read back with poppler where it is installed."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads_client import Bundle, attribute, report
from manyheads_client.pdf.document import write_pdf
from manyheads_client.pdf.fonts import markup, spell
from manyheads_client.pictures import NO_PICTURES, Pictures, draw_pictures
from manyheads_client.records import Record, RecordFile
from manyheads_client.report import select
from manyheads_client.sealing import Signatory, Source, describe_source, seal_records
from manyheads_client.words import MEANINGS
from manyheads_shared.decision import State
from manyheads_shared.digest import digest_bytes
from manyheads_shared.evidence import Examined, FailureRecord
from manyheads_shared.keys import generate_key
from tests.support.makers import TIME

needs_poppler = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs poppler-utils")


@pytest.fixture(scope="module")
def records(bundle: Bundle, lab: Path) -> list[Record]:
    return [result.entry for result in attribute([*sorted((lab / "images").iterdir())[:12], b"x"], bundle, device="cpu")]


@pytest.fixture(scope="module")
def pictures(bundle: Bundle, records: list[Record]) -> Pictures:
    return draw_pictures(select(records).cards, bundle, device="cpu")


def rename(record: Record, name: str) -> Examined:
    assert isinstance(record, Examined)
    item = record.record.item.model_copy(update={"name": name})
    return replace(record, record=record.record.model_copy(update={"item": item}))


def write(path: Path, records: list[Record], pictures: Pictures = NO_PICTURES) -> Path:
    write_pdf(path, select(records), pictures)
    return path


def read(path: Path) -> str:
    """The text of a PDF file, lines joined."""
    text = subprocess.run(["pdftotext", "-raw", path, "-"], check=True, capture_output=True).stdout.decode()
    return " ".join(text.split())


def pages(path: Path) -> list[str]:
    text = subprocess.run(["pdftotext", "-raw", path, "-"], check=True, capture_output=True).stdout.decode()
    return [" ".join(page.split()) for page in text.split("\f") if page.strip()]


def test_the_same_records_and_pictures_give_the_same_bytes(records: list[Record], pictures: Pictures, tmp_path: Path) -> None:
    first, again = write(tmp_path / "a.pdf", records, pictures), write(tmp_path / "b.pdf", records, pictures)
    assert first.read_bytes() == again.read_bytes()
    assert b"/Subtype /Image" in first.read_bytes()


@needs_poppler
def test_coverage_comes_before_any_result_and_digests_are_whole(records: list[Record], tmp_path: Path) -> None:
    used = records[0].instrument if isinstance(records[0], Examined) else None
    text = read(write(tmp_path / "a.pdf", records))
    assert text.index("can recognise images of 3 generators") < text.index("Outcomes") < text.index("How to read an answer")
    assert used is not None
    for digest in (used.bundle, used.primary.digest, used.calibration.digest, used.heads[0].head, used.heads[0].hub_statement):
        assert digest in text


@needs_poppler
def test_every_verdict_is_a_word_and_every_failure_has_its_reason(records: list[Record], tmp_path: Path) -> None:
    text = read(write(tmp_path / "a.pdf", records))
    for state in State:
        assert f"{state.value} {sum(isinstance(r, Examined) and r.state is state for r in records)}" in text
        assert MEANINGS[state].caution in text
    assert "expected a PNG, JPEG or WebP image" in text


@needs_poppler
def test_every_page_says_what_it_belongs_to_and_which_it_is(records: list[Record], tmp_path: Path) -> None:
    selection = replace(select(records), source=Source(digest_bytes(b"records"), None, None))
    write_pdf(tmp_path / "a.pdf", selection, NO_PICTURES)
    found = pages(tmp_path / "a.pdf")
    assert len(found) > 3
    for number, page in enumerate(found, start=1):
        assert page.startswith("Attribution report, hub test-hub, bundle 1, sha256:")
        assert f"record file {digest_bytes(b'records')}" in page
        assert f"page {number} of {len(found)}" in page


@needs_poppler
def test_the_head_says_who_sealed_the_record_file_and_whether_that_holds(
    records: list[Record], bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "scan.jsonl"
    with RecordFile(path, bundle.verified.digest) as file:
        file.write(records)
    sealed = seal_records(path, Signatory(generate_key(), laboratory="Lab 4", case="2026-117"))
    write_pdf(tmp_path / "a.pdf", replace(select(records), source=describe_source(path)), NO_PICTURES)
    assert f"sealed by key {sealed.key_id} on {sealed.seal.created}, laboratory Lab 4, case 2026-117." in read(
        tmp_path / "a.pdf"
    )
    with path.open("ab") as stream:
        stream.write(b"\n")
    write_pdf(tmp_path / "b.pdf", replace(select(records), source=describe_source(path)), NO_PICTURES)
    assert "does not hold: it seals another content" in read(tmp_path / "b.pdf")


@needs_poppler
def test_names_in_other_scripts_are_spelt_out(records: list[Record], tmp_path: Path) -> None:
    names = ["猫の写真.png", "صورة.png", "x\u202egnp.exe", "scène Ł.png"]
    text = read(write(tmp_path / "a.pdf", [rename(records[0], name) for name in names]))
    assert r"\u732b\u306e\u5199\u771f.png" in text
    assert r"\u0635\u0648\u0631\u0629.png" in text
    assert r"x\u202egnp.exe" in text
    assert "scène Ł.png" in text


def test_text_is_data_and_no_markup() -> None:
    assert markup("<b>&\n") == r"&lt;b&gt;&amp;\n"
    assert spell("\N{MINUS SIGN}1 \N{CAT FACE}") == "\N{MINUS SIGN}1 \\U0001f431"


@needs_poppler
def test_a_name_longer_than_a_page_goes_over_to_the_next(records: list[Record], tmp_path: Path) -> None:
    name = "\N{CAT FACE}" * 1000  # 255 bytes a folder, 4096 a path
    failure = FailureRecord.new(name=name, error="ImageError", reason="y" * 9000, created=TIME)
    text = read(write(tmp_path / "a.pdf", [rename(records[0], name), failure])).replace(" ", "")
    assert text.count(r"\U0001f431") > 1900


@needs_poppler
def test_a_large_scan_is_rows_under_headings_on_every_page(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "FULL_CARDS", 3)
    monkeypatch.setattr(report, "MAX_ROWS", 200)
    found = pages(write(tmp_path / "a.pdf", [rename(records[0], f"folder/{i:04}.png") for i in range(300)]))
    assert sum("image verdict claimed by detector nearest head" in page for page in found) >= 4
    assert any("97 more are in the record file" in page for page in found)


def test_a_scan_without_a_single_verdict_still_makes_a_document(tmp_path: Path) -> None:
    failure = FailureRecord.new(name="a.png", error="ImageError", reason="empty file", created=TIME)
    assert write(tmp_path / "a.pdf", [failure]).read_bytes().startswith(b"%PDF-")
