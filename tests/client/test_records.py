from pathlib import Path

import pytest

from manyheads_client import Bundle, attribute
from manyheads_client.analysis import ImageSource
from manyheads_client.inputs import file_item
from manyheads_client.listing import build_line
from manyheads_client.records import Record, RecordFile, read_instruments, read_latest, read_records
from manyheads_client.report import select
from manyheads_shared.errors import ManifestError, UsageError
from manyheads_shared.evidence import Examined, FailureRecord
from tests.support.makers import NO_DIGEST, TIME

GOLDEN = Path(__file__).parents[1] / "golden" / "v1" / "evidence.json"


@pytest.fixture(scope="module")
def records(bundle: Bundle, lab: Path) -> list[Record]:
    images: list[ImageSource] = [*sorted((lab / "images").iterdir())[:4], Path("manyheads.failure/1"), b"no image"]
    return [result.entry for result in attribute(images, bundle, device="cpu")]


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
        assert file.done == 5
        assert file.has(file_item(lab / "images" / "000.png"))
        assert not file.has(file_item(Path("manyheads.failure/1")))  # it could not be read
        assert not file.has(file_item(lab / "images" / "039.png"))


def test_a_file_that_changed_its_size_is_not_done(path: Path, bundle: Bundle, tmp_path: Path, lab: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes((lab / "images" / "000.png").read_bytes())
    write(path, bundle, [result.entry for result in attribute([image], bundle, device="cpu")])
    image.write_bytes((lab / "images" / "001.png").read_bytes() + b"\0")
    with RecordFile(path, bundle.verified.digest) as file:
        assert not file.has(file_item(image))


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
    path.write_bytes(lines[0] + b'{"c":1}\n' + lines[1])  # the instrument is the first
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
    write(path, bundle, [result.entry for result in attribute([late, broken], bundle, device="cpu")])
    late.write_bytes((lab / "images" / "000.png").read_bytes())
    with RecordFile(path, bundle.verified.digest) as file:
        assert (file.has(file_item(late)), file.has(file_item(broken))) == (False, True)
        file.write(result.entry for result in attribute([late], bundle, device="cpu"))
    assert len(list(read_records(path))) == 3
    failure, evidence = read_latest(path)
    assert isinstance(failure, FailureRecord)
    assert isinstance(evidence, Examined)
    with RecordFile(path, bundle.verified.digest) as file:
        assert file.has(file_item(late))


def test_records_of_two_bundles_do_not_mix(path: Path, bundle: Bundle, records: list[Record]) -> None:
    write(path, bundle, records)
    with pytest.raises(UsageError, match="one scan is made with one bundle"):
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
    "a bundle that is a number": b'{"bundle":1,"format":"manyheads.instrument/1"}',
    "an instrument that is none": b'{"bundle":"sha256:%b","format":"manyheads.instrument/1"}' % (b"0" * 64),
}


@pytest.mark.parametrize("what", LINES)
def test_a_line_of_nonsense_is_refused_and_never_a_crash(path: Path, what: str) -> None:
    path.write_bytes(LINES[what] + b"\n")
    with pytest.raises(ManifestError):
        list(read_latest(path))
    with pytest.raises(UsageError):
        RecordFile(path, NO_DIGEST)
    assert path.read_bytes() == LINES[what] + b"\n"


def test_an_instrument_is_written_once_before_the_first_record_that_names_it(
    path: Path, bundle: Bundle, records: list[Record]
) -> None:
    write(path, bundle, records[:2])
    write(path, bundle, records[2:])
    (instrument,) = read_instruments(path)
    assert path.read_bytes().startswith(instrument.to_bytes())


def test_a_record_without_its_instrument_is_refused(path: Path, bundle: Bundle, records: list[Record]) -> None:
    write(path, bundle, records)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    with pytest.raises(ManifestError, match="line 1: expected a record of an instrument named before"):
        list(read_records(path))
    with pytest.raises(UsageError, match="line 1"):
        RecordFile(path, bundle.verified.digest)


def test_records_of_the_first_version_are_read_and_not_added_to(path: Path, bundle: Bundle) -> None:
    path.write_bytes(GOLDEN.read_bytes() + b"\n")
    (old,) = read_records(path)
    assert build_line(old).nearest.startswith("golden@1 ")
    with pytest.raises(UsageError, match="earlier version"):
        RecordFile(path, bundle.verified.digest)
    with pytest.raises(UsageError, match="earlier version"):
        select(read_records(path))
