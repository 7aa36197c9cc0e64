"""Case folders: what goes in stays as it came, every act is in the log, and nobody takes any of it back unseen."""

import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from manyheads_client import Bundle
from manyheads_client.case import add_note, new_case, open_case, read_case
from manyheads_client.case_scan import Examination, examine_case
from manyheads_client.case_verification import verify_case
from manyheads_client.custody import CustodyEntry, read_custody
from manyheads_client.engines.port import Options
from manyheads_client.intake import add_evidence
from manyheads_client.provenance import StoreShelf
from manyheads_client.sealing import Signatory, seal_path, seal_records
from manyheads_client.steps import Verification
from manyheads_client.store import Store
from manyheads_shared.canonical import from_canonical, to_canonical
from manyheads_shared.chain import GENESIS
from manyheads_shared.digest import digest_bytes, digest_file, hex_of
from manyheads_shared.errors import ChainError, UsageError
from manyheads_shared.evidence import EvidenceRecord
from manyheads_shared.keys import generate_key
from tests.support.dossier import edit_scan, put, read_lines

KEY, OTHER = generate_key(), generate_key()
CPU = Options(device="cpu")


def examine(folder: Path, bundle: Bundle) -> Examination:
    return examine_case(folder, bundle, KEY, CPU)


def problems(verification: Verification) -> dict[int, str]:
    """What fails, by the number of the step."""
    return {step.number: "\n".join(map(str, step.problems)) for step in verification.steps if step.problem_count}


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    new_case(tmp_path / "empty", case_id="2026-117", examiner="Ada", laboratory="Lab 4", key=KEY.public_key)
    return tmp_path / "empty"


@pytest.fixture(scope="module")
def examined(lab: Path, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of three images, an archive and a letter, examined once. Not to be changed."""
    folder = tmp_path_factory.mktemp("examined")
    with zipfile.ZipFile(folder / "mail.zip", "w") as archive:
        archive.write(lab / "images" / "003.png", "inner.png")
    (folder / "letter.txt").write_text("Dear laboratory,")
    case = folder / "case"
    new_case(case, case_id="2026-117", examiner="Ada", laboratory="Lab 4", key=KEY.public_key)
    images = [lab / "images" / f"00{i}.png" for i in range(3)]
    add_evidence(case, [*images, folder / "mail.zip", folder / "letter.txt"])
    examine(case, bundle)
    return case


@pytest.fixture
def case(examined: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(examined, tmp_path / "case"))


def test_a_case_begins_with_the_line_that_names_its_key(empty: Path) -> None:
    (line,) = read_custody(empty / "custody.jsonl")
    assert (line.action, line.subject, line.who, line.previous) == ("case.opened", "2026-117", "Ada", GENESIS)
    assert read_case(empty).key.keyid == KEY.public_key.keyid


def test_a_case_is_never_opened_over_something(empty: Path) -> None:
    with pytest.raises(UsageError, match="never overwritten"):
        new_case(empty, case_id="2", examiner="Ada", laboratory="Lab 4", key=KEY.public_key)
    with pytest.raises(UsageError, match="no case can be opened"):
        new_case(empty.parent / "other", case_id="", examiner="Ada", laboratory="Lab 4", key=KEY.public_key)


def test_evidence_is_kept_read_only_by_digest_and_its_name_in_the_log(empty: Path, tmp_path: Path) -> None:
    (tmp_path / "stick" / "DCIM").mkdir(parents=True)
    (tmp_path / "stick" / "DCIM" / "IMG 1.PNG").write_bytes(b"one")
    (tmp_path / "stick" / "notes.txt").write_bytes(b"two")
    second, first = add_evidence(empty, [tmp_path / "stick"], who="Grace")
    kept = empty / first.file
    assert kept.name == hex_of(digest_bytes(b"one")) + ".png"
    assert (kept.read_bytes(), stat.S_IMODE(kept.stat().st_mode)) == (b"one", 0o444)
    assert first.name.endswith("stick/DCIM/IMG 1.PNG")
    assert second.size_bytes == 3
    assert [line.who for line in read_case(empty).entries] == ["Ada", "Grace", "Grace"]


def test_one_file_under_two_names_is_kept_once_and_told_twice(empty: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_bytes(b"same")
    add_evidence(empty, [tmp_path / "a.png", tmp_path / "b.jpg"])
    assert len(list((empty / "evidence").iterdir())) == 1
    assert [Path(each.name).name for each in read_case(empty).evidence] == ["a.png", "b.jpg"]
    assert verify_case(empty).holds


def test_what_is_not_there_is_refused_before_anything_is_copied(empty: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    with pytest.raises(UsageError, match="no such file"):
        add_evidence(empty, [tmp_path / "a.png", tmp_path / "b.png"])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="got something that is none"):
        add_evidence(empty, [tmp_path])
    assert len(read_case(empty).entries) == 1


def test_an_examined_case_holds_at_every_step(examined: Path, store: Store) -> None:
    verification = verify_case(examined, KEY.public_key, StoreShelf(store))
    assert problems(verification) == {}
    assert [step.outcome for step in verification.steps] == ["holds"] * 5
    assert verification.not_checked[0].startswith("Lines 8 to 8 of the log")  # the line that tells of the seal


def test_images_and_those_in_archives_are_examined_and_a_letter_is_not(examined: Path) -> None:
    lines = read_lines(examined / "scans" / "0001.jsonl")
    names = [line["item"]["name"] for line in lines if line["format"] == EvidenceRecord.FORMAT]
    assert len(names) == 4
    assert all(name.startswith("evidence/") for name in names)
    assert names[3].endswith(".zip!/inner.png")


def test_a_seal_signs_the_newest_line_of_the_log(examined: Path) -> None:
    case = read_case(examined)
    (scan,) = case.scans
    assert scan.sealed is not None
    assert scan.sealed.details["seal"] == digest_file(seal_path(examined / scan.file))
    assert case.entries[-2].action == "scan.started"


def test_examining_again_adds_a_scan_and_leaves_the_first(case: Path, bundle: Bundle) -> None:
    first = (case / "scans" / "0001.jsonl").read_bytes()
    assert examine(case, bundle).file.name == "0002.jsonl"
    assert (case / "scans" / "0001.jsonl").read_bytes() == first
    assert problems(verify_case(case, KEY.public_key)) == {}


def test_another_key_than_the_cases_seals_nothing(case: Path, bundle: Bundle) -> None:
    before = (case / "custody.jsonl").read_bytes()
    with pytest.raises(UsageError, match="the case is sealed by key"):
        examine_case(case, bundle, OTHER, CPU)
    assert (case / "custody.jsonl").read_bytes() == before
    assert "expected the key given" in problems(verify_case(case, OTHER.public_key))[2]


def test_a_case_without_images_is_an_error_and_no_scan(empty: Path, bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="no png, jpeg or webp file"):
        examine(empty, bundle)
    assert len(read_case(empty).entries) == 1


def test_a_note_is_kept_and_an_empty_one_refused(empty: Path) -> None:
    add_note(empty, "received from officer 12", who="Grace")
    assert read_case(empty).entries[-1].details == {"text": "received from officer 12"}
    with pytest.raises(UsageError, match="some words"):
        add_note(empty, " ")


def test_two_processes_do_not_work_in_one_case(empty: Path) -> None:
    with open_case(empty), pytest.raises(UsageError, match="another process"):
        add_note(empty, "meanwhile")


def log_lines(case: Path) -> list[dict[str, object]]:
    return [from_canonical(line) for line in (case / "custody.jsonl").read_bytes().splitlines()]


def rewrite(case: Path, edit: Callable[[list[dict[str, object]]], object]) -> None:
    """Change the log and chain it anew, as whoever can write to the folder is able to."""
    lines = log_lines(case)
    edit(lines)
    before, data = str(GENESIS), b""
    for number, line in enumerate(lines, start=1):
        written = to_canonical(line | {"sequence": number, "previous": before})
        before, data = digest_bytes(written), data + written + b"\n"
    (case / "custody.jsonl").write_bytes(data)


def replace_in_log(old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(case: Path) -> None:
        log = case / "custody.jsonl"
        assert old in log.read_bytes()
        log.write_bytes(log.read_bytes().replace(old, new, 1))

    return change


def cut_log(count: int) -> Callable[[Path], None]:
    def change(case: Path) -> None:
        log = case / "custody.jsonl"
        log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:count]))

    return change


def change_evidence(case: Path) -> None:
    path = next((case / "evidence").glob("*.png"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"\0")


def seal_by_another(case: Path) -> None:
    path = case / "scans" / "0001.jsonl"
    seal_records(path, Signatory(OTHER, "Lab 4", "Ada", "2026-117"))


def seal_again(case: Path) -> None:
    edit_scan(case / "scans" / "0001.jsonl", put("1.item.notes", ["shown to a witness"]))
    seal_records(case / "scans" / "0001.jsonl", Signatory(KEY, "Lab 4", "Ada", "2026-117"))


def cut_middle(case: Path) -> None:
    log = case / "custody.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:2], *lines[3:]]))


BREAKS: dict[str, tuple[Callable[[Path], object], int, str]] = {  # what, the step that finds it, some words of it
    "a line changed": (replace_in_log(b'"who":"Ada"', b'"who":"Eve"'), 1, "line 2 follows"),
    "a line out of the middle": (cut_middle, 1, "lines are missing or moved"),
    "a line that is none": (replace_in_log(b"{", b"["), 1, "line 1"),
    "the log cut before what a seal signed": (cut_log(6), 1, "lines were cut off"),
    "a scan that the log does not tell of": (cut_log(6), 4, "no line of the log started this scan"),
    "the log written anew": (lambda case: rewrite(case, lambda lines: lines[1].update(who="Eve")), 1, "a seal has signed it"),
    "evidence taken out of a log written anew": (
        lambda case: rewrite(case, lambda lines: lines.pop(2)),
        3,
        "no line of the log",
    ),
    "evidence changed": (change_evidence, 3, "another content than when it was added"),
    "evidence removed": (lambda case: next((case / "evidence").glob("*.txt")).unlink(), 3, "it is not there"),
    "evidence smuggled in": (lambda case: (case / "evidence" / "x.png").touch(), 3, "no line of the log added this file"),
    "records changed": (lambda case: edit_scan(case / "scans" / "0001.jsonl", put("1.item.notes", ["?"])), 5, "changed since"),
    "records removed": (lambda case: (case / "scans" / "0001.jsonl").unlink(), 5, "the records are not there"),
    "a seal removed": (lambda case: seal_path(case / "scans" / "0001.jsonl").unlink(), 4, "expected the seal"),
    "a seal by another key": (seal_by_another, 4, "expected a signature by the key given"),
    "records changed and sealed again": (seal_again, 4, "not the seal that the log tells of"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_whatever_is_changed_in_a_case_is_found(case: Path, what: str) -> None:
    change, number, words = BREAKS[what]
    change(case)
    verification = verify_case(case, KEY.public_key)
    found = problems(verification)
    assert words in found[number], found


def test_a_log_cut_behind_a_sealed_scan_is_found_by_the_next_seal(case: Path, bundle: Bundle) -> None:
    add_note(case, "to be forgotten")
    examine(case, bundle)
    lines = (case / "custody.jsonl").read_bytes().splitlines(keepends=True)
    rewrite(case, lambda lines: lines.pop(8))  # the note
    assert "a seal has signed it" in problems(verify_case(case, KEY.public_key))[1]
    assert len(lines) == 11


def test_a_record_of_other_evidence_is_found(case: Path, lab: Path, bundle: Bundle, empty: Path) -> None:
    add_evidence(empty, [lab / "images" / "009.png"])
    examine(empty, bundle)
    for name in ("0001.jsonl", "0001.jsonl.seal.json"):
        shutil.copy(empty / "scans" / name, case / "scans" / name)
    found = problems(verify_case(case, KEY.public_key))
    assert "not the seal that the log tells of" in found[4]
    assert "no evidence of this case" in found[5]


def test_nothing_is_appended_to_a_log_that_was_changed(case: Path) -> None:
    replace_in_log(b'"who":"Ada"', b'"who":"Eve"')(case)
    before = (case / "custody.jsonl").read_bytes()
    with pytest.raises(ChainError):
        add_note(case, "all is well")
    assert (case / "custody.jsonl").read_bytes() == before


def test_a_log_cut_off_at_any_byte_loses_no_whole_line(empty: Path) -> None:
    add_note(empty, "first")
    add_note(empty, "second")
    whole = (empty / "custody.jsonl").read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(ends[0], len(whole), 29):
        (empty / "custody.jsonl").write_bytes(whole[:cut])
        add_note(empty, "after the kill")
        kept = sum(end <= cut for end in ends)
        assert [line.sequence for line in read_case(empty).entries] == list(range(1, kept + 2))


def test_evidence_whose_line_was_written_is_there_whenever_the_kill_came(empty: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    (evidence,) = add_evidence(empty, [tmp_path / "a.png"])
    (empty / evidence.file).replace(empty / "incoming" / hex_of(evidence.digest))  # killed before its last step
    assert verify_case(empty).holds
    add_note(empty, "back at work")
    assert (empty / evidence.file).read_bytes() == b"a"


def test_a_copy_whose_line_was_not_written_counts_for_nothing(empty: Path) -> None:
    (empty / "incoming").mkdir()
    (empty / "incoming" / "copying").write_bytes(b"half")
    (empty / "incoming" / ("0" * 64)).write_bytes(b"whole")
    assert verify_case(empty).holds
    add_note(empty, "back at work")
    assert list((empty / "incoming").iterdir()) == []


def test_a_scan_that_was_killed_before_its_seal_goes_on(case: Path, bundle: Bundle) -> None:
    whole = (case / "scans" / "0001.jsonl").read_bytes()
    cut_log(7)(case)  # the line of the seal was not written
    seal_path(case / "scans" / "0001.jsonl").unlink()
    (case / "scans" / "0001.jsonl").write_bytes(whole[:-30])
    assert any("not finished" in sentence for sentence in verify_case(case, KEY.public_key).not_checked)
    done = examine(case, bundle)
    assert (done.file.name, done.scanned.passed, done.scanned.examined) == ("0001.jsonl", 3, 1)
    assert problems(verify_case(case, KEY.public_key)) == {}


@pytest.mark.parametrize("file", ["../outside.png", "/etc/passwd", "evidence/../../x", "scans/0001.jsonl"])
def test_a_log_cannot_lead_out_of_its_folder(case: Path, file: str) -> None:
    def point_out(lines: list[dict[str, object]]) -> None:
        details = lines[1]["details"]
        assert isinstance(details, dict)
        details["file"] = file

    rewrite(case, point_out)
    assert "line 2" in problems(verify_case(case, KEY.public_key))[1]


def test_an_act_that_no_version_knows_is_refused(case: Path) -> None:
    rewrite(case, lambda lines: lines[1].update(action="evidence.improved"))
    with pytest.raises(ChainError, match="line 2"):
        read_case(case)


def test_a_folder_that_is_no_case_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="case new"):
        read_case(tmp_path)
    with pytest.raises(UsageError, match="case new"):
        add_note(tmp_path, "x")


def test_every_line_is_in_canonical_form_and_names_the_one_before(examined: Path) -> None:
    data = (examined / "custody.jsonl").read_bytes().splitlines()
    lines = [CustodyEntry.from_bytes(line) for line in data]
    assert [line.previous for line in lines[1:]] == [digest_bytes(line) for line in data[:-1]]
    assert os.access(examined / "custody.jsonl", os.R_OK)
