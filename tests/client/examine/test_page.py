"""What the local page answers over HTTP: verdicts, pictures, degraded copies, comparison, exports, refusals."""

import io
import os
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from manyheads_client.examine import session as session_module
from manyheads_client.examine.session import Session
from manyheads_client.records import read_instruments, read_records
from manyheads_client.words import MEANINGS
from manyheads_shared.evidence import EvidenceRecord, Examined, FailureRecord
from manyheads_shared.image import MAX_FILE_BYTES
from manyheads_shared.operations import jpeg_at
from tests.support.hostile import cases

FIRST, SECOND = "001.png", "004.png"


@pytest.fixture
def folder(lab: Path) -> Path:
    return lab / "images"


def give(client: httpx.Client, name: str, data: bytes) -> httpx.Response:
    return client.post("images", params={"name": name}, content=data)


@pytest.fixture
def two(client: httpx.Client, folder: Path) -> httpx.Client:
    """A sitting that holds two images, numbers 1 and 2."""
    for name in (FIRST, SECOND):
        assert give(client, name, (folder / name).read_bytes()).status_code == 201
    return client


def _pixels(client: httpx.Client, path: str) -> np.ndarray:
    answer = client.get(path)
    assert answer.headers["content-type"] == "image/png", answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_coverage_and_age_are_there_before_any_image(client: httpx.Client) -> None:
    page = client.get("").text

    assert page.index("Covers 3 generators: <bdi>alpha@1</bdi>") < page.index("No image yet")
    assert "omega@1</bdi> (yanked: claimed photographs of one camera too often)" in page
    assert "confirmed by the hub as its newest" in page
    assert "up to jpeg 75" in page


def test_an_image_gets_its_verdict_in_words(two: httpx.Client) -> None:
    found = two.get("images").json()

    assert [(one["name"], one["state"]) for one in found] == [(FIRST, "attributed"), (SECOND, "inconclusive")]
    part = two.get("images/1").text
    for word in (
        found[0]["explanation"],
        "claimed by one generator",
        "saved as JPEG of quality 95",
        "SHA-512",
        "of the picture",
    ):
        assert word in part
    assert all(title in part for title in ("detector", "alpha@1", "beta@1", "gamma@1"))


def test_no_state_is_told_by_colour_alone(two: httpx.Client) -> None:
    listed = two.get("list").text

    for one in two.get("images").json():
        assert f"{MEANINGS[one['state']].sign}</span> {one['state']}</span>" in listed


def test_what_disagrees_is_shown_side_by_side(two: httpx.Client) -> None:
    assert two.get("images/1").text.count('class="frame"') == 1
    assert two.get("images/2").text.count('class="frame"') == 2  # by its scores the detector and gamma contradict each other


def test_a_file_that_is_no_image_gets_one_line_and_a_record(client: httpx.Client) -> None:
    found = give(client, "<b>.png", b"not an image").json()

    assert found["state"] is None
    assert found["explanation"] == "expected a PNG, JPEG or WebP image, got something else"
    assert "&lt;b&gt;.png</bdi> could not be examined: expected a PNG" in client.get("list").text
    assert client.get("images/1").status_code == 404


def test_hostile_files_get_one_line_each(client: httpx.Client) -> None:
    refused = [case for case in cases() if case.refused][:60]

    for case in refused:
        found = give(client, case.name, case.data).json()
        assert found["state"] is None, case.name
        assert len(found["explanation"].splitlines()) == 1


def test_no_more_is_read_than_an_image_may_have(client: httpx.Client) -> None:
    found = give(client, "large.png", bytes(MAX_FILE_BYTES + 1)).json()

    assert found["explanation"] == "expected at most 64 MB, got more"


def test_a_sitting_holds_so_many_images(two: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_IMAGES", 2)

    answer = give(two, "third.png", b"x")
    assert (answer.status_code, answer.json()["error"]) == (409, "UsageError")
    assert "at most 2 images" in answer.json()["reason"]
    assert two.delete("images/2").status_code == 204
    assert give(two, "third.png", b"x").status_code == 201


def test_two_files_of_one_name_keep_their_records_apart(client: httpx.Client, folder: Path) -> None:
    names = [give(client, "a.png", (folder / name).read_bytes()).json()["name"] for name in (FIRST, SECOND, FIRST)]

    assert names == ["a.png", "a.png (2)", "a.png"]
    assert len(client.get("images").json()) == 2


def test_the_picture_is_what_the_networks_saw(two: httpx.Client, folder: Path, session: Session) -> None:
    whole = np.asarray(Image.open(folder / FIRST))

    assert _pixels(two, "images/1/picture.png").shape == (32, 32, 3)
    assert (_pixels(two, "images/1/picture.png?whole=true") == whole).all()
    assert (_pixels(two, "images/1/picture.png?whole=true&jpeg=40") == jpeg_at(whole, 40)).all()


def test_every_network_has_its_saliency_on_one_scale(two: httpx.Client, session: Session) -> None:
    before = [_pixels(two, f"images/1/saliency/{column}.png") for column in range(4)]
    assert len({map_.tobytes() for map_ in before}) == 4
    assert two.get("images/1/saliency/4.png").status_code == 404

    scale = session.scale
    assert scale is not None
    assert two.put("scale", params={"logits": scale * 1e4}).json() == {"logits": scale * 1e4}
    faint = _pixels(two, "images/1/saliency/0.png").astype(int)
    assert np.abs(faint - [128, 255, 128]).max() < 16  # green says nothing
    assert two.put("scale").json()["logits"] < scale * 1e4


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "x"])
def test_a_scale_that_is_none_is_refused(client: httpx.Client, value: str) -> None:
    answer = client.put("scale", params={"logits": value})

    assert (answer.status_code, answer.json()["error"]) == (422, "UsageError")


def test_a_degraded_copy_is_examined_and_set_beside_the_original(two: httpx.Client) -> None:
    part = two.get("images/1/retry", params={"jpeg": 20, "blur": 1.5}).text
    changed = EvidenceRecord.from_bytes(two.get("images/1/record", params={"jpeg": 20, "blur": 1.5}).content)

    assert "blur 1.5, jpeg 20" in part
    assert changed.state.value in part
    assert 'class="before"' in part
    assert changed.condition != EvidenceRecord.from_bytes(two.get("images/1/record").content).condition
    again = EvidenceRecord.from_bytes(two.get("images/1/record", params={"jpeg": 20, "blur": 1.5}).content)
    assert again.item.pixels == changed.item.pixels


@pytest.mark.parametrize("query", ["jpeg=0", "jpeg=101", "blur=-1", "noise=nan", "scale=0", "crop=0.9"])
def test_a_change_past_its_range_is_refused(two: httpx.Client, query: str) -> None:
    assert two.get(f"images/1/retry?{query}").status_code == 422


def test_two_images_are_set_beside_each_other(two: httpx.Client) -> None:
    part = two.get("images/1/beside/2").text

    assert part.index(FIRST) < part.index(SECOND)
    assert part.count("alpha@1</bdi>") == 2
    assert two.get("images/1/beside/3").status_code == 404


def test_the_records_are_read_like_those_of_a_scan(two: httpx.Client, tmp_path: Path) -> None:
    give(two, "bad.png", b"x")
    two.get("images/1/retry?jpeg=20")
    path = tmp_path / "examined.jsonl"
    answer = two.get("records.jsonl")
    path.write_bytes(answer.content)

    assert answer.headers["content-disposition"] == 'attachment; filename="examined.jsonl"'
    assert path.read_bytes().startswith(b'{"bundle":"')
    assert len(list(read_instruments(path))) == 1
    records = list(read_records(path))
    assert [type(record) for record in records] == [Examined, Examined, FailureRecord]


def test_the_report_holds_every_image_with_its_picture(two: httpx.Client) -> None:
    report = two.get("report.html").text

    assert "2 images examined" in report
    assert report.count('alt="The image as the networks saw it"') == 2


def test_nothing_is_written_to_disk(two: httpx.Client) -> None:
    """Python tells of every file it opens; nobody is told where to write, so nobody may."""
    written: list[object] = []
    listening = True

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            written.append(arguments[0])

    sys.addaudithook(note)
    give(two, "large.png", bytes(8 << 20))
    for path in ("", "images/1", "images/1/retry?jpeg=50", "records.jsonl", "report.html"):
        assert two.get(path).status_code == 200
    listening = False

    assert written == []
