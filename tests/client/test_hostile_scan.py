"""A scan of files that are hostile by their content, their name or their kind: one record for each of them."""

import os
from pathlib import Path

import pytest

from manyheads_client import Attribution, Bundle, Failure, attribute
from manyheads_client.inputs import Inputs
from manyheads_client.records import RecordFile, read_records
from manyheads_shared.image import SUFFIXES
from tests.support.hostile import cases, picture, truncations
from tests.support.image_files import plain_png

NAMES = (
    "\x1b[31mred\x1b[0m.png",
    "two\nlines.png",
    "a\ttab\rand\x07bell.png",
    "\u202egnp.txt.png",
    "-rf.png",
    "$(id).png",
    "n" * 251 + ".png",
)


def _write_strange_files(folder: Path) -> None:
    """Pipes, devices, links that lead nowhere, in circles and out, a file nobody can hold, and names to stumble over."""
    os.mkfifo(folder / "pipe.png")
    (folder / "zeros without end.png").symlink_to("/dev/zero")
    (folder / "nowhere.png").symlink_to(folder / "gone")
    (folder / "itself.png").symlink_to(folder / "itself.png")
    (folder / "one.png").symlink_to(folder / "other.png")
    (folder / "other.png").symlink_to(folder / "one.png")
    with (folder / "a terabyte of nothing.png").open("wb") as file:
        file.truncate(1 << 40)
    for name in NAMES:
        (folder / name).write_bytes(plain_png(picture()))
    (folder / os.fsdecode(b"\xff\xfe.png")).write_bytes(plain_png(picture()))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_scan_of_hostile_files_ends_with_one_record_each(bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    _write_strange_files(folder)
    for case in (*cases(), *truncations()):
        (folder / case.name).write_bytes(case.data)
    images = list(Inputs([folder]).items())
    assert {Path(item.name).suffix for item in images} <= set(SUFFIXES)

    results = list(attribute(images, bundle, device="cpu", precision="float32"))
    with RecordFile(tmp_path / "scan.jsonl", bundle.verified.digest) as file:
        file.write(result.entry for result in results)

    assert [result.name for result in results] == [item.name for item in images]
    assert len(list(read_records(tmp_path / "scan.jsonl"))) == len(images)
    outcomes = {Path(result.name).name: result for result in results}
    for case in cases():
        if case.shows is not None:
            assert isinstance(outcomes[case.name], Attribution), case.name
        elif case.refused is not None:
            assert isinstance(outcomes[case.name], Failure), case.name
    strange = [outcomes[name] for name in ("pipe.png", "zeros without end.png", "nowhere.png", "itself.png")]
    assert {result.entry.error for result in strange if isinstance(result, Failure)} == {"UnreadableImageError"}
    assert all(isinstance(outcomes[name], Attribution) for name in NAMES)


def test_a_name_that_no_file_can_have_is_a_failure(bundle: Bundle) -> None:
    results = list(attribute(["a\0b.png", "x" * 5000 + ".png"], bundle, device="cpu", precision="float32"))
    assert [result.entry.error for result in results if isinstance(result, Failure)] == ["UnreadableImageError"] * 2
