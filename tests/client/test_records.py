from pathlib import Path

import pytest

from manyheads_client import Bundle, attribute
from manyheads_client.analysis import ImageSource
from manyheads_client.records import Record, RecordFile, read_latest, read_records
from manyheads_shared.errors import ManifestError, UsageError
from manyheads_shared.evidence import EvidenceRecord, FailureRecord
from tests.support.makers import NO_DIGEST, TIME


@pytest.fixture(scope="module")
def records(bundle: Bundle, lab: Path) -> list[Record]:
    images: list[ImageSource] = [*sorted((lab / "images").iterdir())[:4], Path("manyheads.failure/1"), b"no image"]
    return [result.record for result in attribute(images, bundle, device="cpu")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.jsonl"


def write(path: Path, bundle: Bundle, records: list[Record]) -> None:
    with RecordFile(path, bundle.verified.digest) as file:
        file.write(records)


def test_what_is_written_is_read_again(path: Path, bundle: Bundle, records: list[Record]) -> None:
    write(path, bundle, records)
    assert list(read_records(path)) == records


def test_a_file_opened_again_knows_what_it_has(path: Path, bundle: Bundle, records: list[Record], lab: Path) -> None:
    write(path, bundle, records)
    with RecordFile(path, bundle.verified.digest) as file:
        assert file.has(lab / "images" / "000.png")
        assert not file.has(Path("manyheads.failure/1"))  # it could not be read
        assert not file.has(lab / "images" / "039.png")


def test_a_file_that_changed_its_size_is_not_done(path: Path, bundle: Bundle, tmp_path: Path, lab: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes((lab / "images" / "000.png").read_bytes())
    write(path, bundle, [result.record for result in attribute([image], bundle, device="cpu")])
    image.write_bytes((lab / "images" / "001.png").read_bytes() + b"\0")
    with RecordFile(path, bundle.verified.digest) as file:
        assert not file.has(image)


def test_a_kill_at_any_byte_costs_at_most_the_last_record(path: Path, bundle: Bundle, records: list[Record]) -> None:
    write(path, bundle, records)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 97):
        path.write_bytes(whole[:cut])
        with RecordFile(path, bundle.verified.digest) as file:
            kept = len(list(read_records(path)))
            file.write(records[kept:])
        assert path.read_bytes() == whole


def test_an_unfinished_last_line_is_passed_over_by_readers(path: Path, bundle: Bundle, records: list[Record]) -> None:
    write(path, bundle, records)
    path.write_bytes(path.read_bytes()[:-5])
    assert list(read_records(path)) == records[:-1]


def test_a_damaged_line_is_named_by_its_number(path: Path, bundle: Bundle, records: list[Record]) -> None:
    write(path, bundle, records)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"c":1}\n' + lines[1])
    with pytest.raises(ManifestError, match="line 2"):
        list(read_records(path))
    with pytest.raises(UsageError, match="line 2"):
        RecordFile(path, bundle.verified.digest)


def test_a_file_that_holds_something_else_is_left_alone(path: Path, bundle: Bundle) -> None:
    path.write_bytes(b"\x89PNG precious")
    with pytest.raises(UsageError, match="left alone"):
        RecordFile(path, bundle.verified.digest)
    assert path.read_bytes() == b"\x89PNG precious"


@pytest.mark.parametrize(
    "content",
    [
        b'{"config":{"colour":"red"}}',
        b'{"created":"2026-01-02T03:04:05Z","todo":["milk"]}',
        b'{"claimed_by":[],"note":1}\n{"claimed_by":[',
        b'{"c": 1}\n',
        b'{"claimed_by":[]}\nnotes',
    ],
)
def test_a_file_that_only_begins_like_records_is_left_alone(path: Path, bundle: Bundle, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(UsageError):
        RecordFile(path, bundle.verified.digest)
    assert path.read_bytes() == content


def test_something_else_behind_whole_records_is_left_alone(path: Path, bundle: Bundle, records: list[Record]) -> None:
    write(path, bundle, records)
    content = path.read_bytes() + b"my own note"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="left alone"):
        RecordFile(path, bundle.verified.digest)
    assert path.read_bytes() == content


def test_what_could_not_be_read_is_examined_again_and_the_later_record_counts(
    path: Path, bundle: Bundle, tmp_path: Path, lab: Path
) -> None:
    late, broken = tmp_path / "late.png", tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    write(path, bundle, [result.record for result in attribute([late, broken], bundle, device="cpu")])
    late.write_bytes((lab / "images" / "000.png").read_bytes())
    with RecordFile(path, bundle.verified.digest) as file:
        assert (file.has(late), file.has(broken)) == (False, True)
        file.write(result.record for result in attribute([late], bundle, device="cpu"))
    assert len(list(read_records(path))) == 3
    failure, evidence = read_latest(path)
    assert isinstance(failure, FailureRecord)
    assert isinstance(evidence, EvidenceRecord)
    with RecordFile(path, bundle.verified.digest) as file:
        assert file.has(late)


def test_records_of_two_bundles_do_not_mix(path: Path, bundle: Bundle, records: list[Record]) -> None:
    write(path, bundle, records)
    with pytest.raises(UsageError, match="one scan is made with one instrument"):
        RecordFile(path, NO_DIGEST)


def test_two_processes_do_not_write_to_one_file(path: Path, bundle: Bundle) -> None:
    with RecordFile(path, bundle.verified.digest), pytest.raises(UsageError, match="another process"):
        RecordFile(path, bundle.verified.digest)


def test_a_failures_name_may_hold_anything(path: Path, bundle: Bundle) -> None:
    odd = FailureRecord.new(name='"format":"manyheads.evidence/1"\n', error="ImageError", reason="x", created=TIME)
    write(path, bundle, [odd])
    assert list(read_records(path)) == [odd]


LINES = {
    "nested without end": b'{"claimed_by":[' + b"[" * 100_000,
    "a name that is an object": b'{"created":"x","error":"x","format":"manyheads.failure/1","name":{},"reason":"x"}',
    "a bundle that is a number": b'{"claimed_by":[],"format":"x","instrument":{"bundle":1},"item":{"name":"a","size_bytes":1}}',
}


@pytest.mark.parametrize("what", LINES)
def test_a_line_of_nonsense_is_refused_and_never_a_crash(path: Path, what: str) -> None:
    path.write_bytes(LINES[what] + b"\n")
    with pytest.raises(ManifestError):
        list(read_latest(path))
    with pytest.raises(UsageError):
        RecordFile(path, NO_DIGEST)
    assert path.read_bytes() == LINES[what] + b"\n"
