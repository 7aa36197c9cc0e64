"""Verifying what another laboratory made: an honest file holds at every step, a changed one fails where that can be told."""

import shutil
import tarfile
from pathlib import Path

import pytest

from manyheads_client import Bundle
from manyheads_client.exporting import export_bundle
from manyheads_client.originals import Originals
from manyheads_client.provenance import Shelf, StoreShelf, open_shelf
from manyheads_client.report_verification import Means, verify_report
from manyheads_client.sealing import Signatory, seal_path, seal_records
from manyheads_client.steps import Verification
from manyheads_client.store import Store
from manyheads_shared.errors import UsageError
from manyheads_shared.keys import generate_key
from tests.support.dossier import Edit, edit_scan, make_scan, put, read_lines, write_degraded, write_lines
from tests.support.hub_simulator import HubSimulator
from tests.support.makers import NO_DIGEST, TIME

KEY, OTHER = generate_key(), generate_key()


@pytest.fixture(scope="module")
def desk(lab: Path, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed scan beside its images. Not to be changed."""
    folder = tmp_path_factory.mktemp("desk")
    images = write_degraded(folder / "images", lab / "images" / "000.png")
    for name in ("000.png", "001.png", "002.png", "003.png"):
        images.append(Path(shutil.copy(lab / "images" / name, folder / "images")))
    make_scan(folder / "scan.jsonl", [*images, folder / "gone.png"], bundle, KEY)
    return folder


@pytest.fixture
def scan(desk: Path, tmp_path: Path) -> Path:
    """A copy of the scan and its seal, to be changed."""
    shutil.copy(seal_path(desk / "scan.jsonl"), tmp_path)
    return Path(shutil.copy(desk / "scan.jsonl", tmp_path))


@pytest.fixture
def shelf(store: Store) -> Shelf:
    return StoreShelf(store)


def outcomes(verification: Verification) -> list[str]:
    return [step.outcome for step in verification.steps]


def words(verification: Verification) -> str:
    return "\n".join(str(problem) for step in verification.steps for problem in step.problems)


def test_an_honest_file_holds_at_every_step(desk: Path, shelf: Shelf) -> None:
    means = Means(KEY.public_key, shelf, originals=Originals(desk / "images"))
    verification = verify_report(desk / "scan.jsonl", means)
    assert outcomes(verification) == ["holds"] * 5, words(verification)
    assert [step.checked for step in verification.steps] == [1, 8, 6, 1, 6]
    assert (verification.holds, verification.signed_by) == (True, KEY.public_key.keyid)
    assert len(verification.not_checked) == 2  # what no means would open


def test_what_was_not_checked_is_said(desk: Path) -> None:
    verification = verify_report(desk / "scan.jsonl", Means())
    assert outcomes(verification) == ["holds", "holds", "holds", "not checked", "not checked"]
    said = "\n".join(verification.not_checked)
    assert all(option in said for option in ("--key", "--store", "--pack", "--images", "replay"))


def test_a_file_without_a_seal_says_so_and_fails_where_a_key_was_given(scan: Path) -> None:
    seal_path(scan).unlink()
    verification = verify_report(scan, Means())
    assert verification.holds
    assert verification.not_checked[0].startswith("No seal lies beside the file")
    assert outcomes(verify_report(scan, Means(KEY.public_key)))[0] == "fails"


def test_a_seal_by_another_key_fails(scan: Path) -> None:
    verification = verify_report(scan, Means(OTHER.public_key))
    assert outcomes(verification)[0] == "fails"
    assert OTHER.public_key.keyid[:12] in words(verification)
    assert KEY.public_key.keyid[:12] in words(verification)


def test_a_forger_who_seals_again_is_found_out_by_the_key_alone(scan: Path) -> None:
    edit_scan(scan, put("1.item.name", "another.png"))
    seal_records(scan, Signatory(OTHER))
    assert verify_report(scan, Means()).holds
    assert not verify_report(scan, Means(KEY.public_key)).holds


EDITS: dict[str, tuple[Edit, int | None]] = {  # what, and the step that finds it without the seal; None: nothing else can
    "a logit": (put("3.detector.logit", lambda logit: logit + 50), 3),
    "a logit within its band": (put("3.detector.logit", lambda logit: logit * (1 + 2**-20)), None),
    "an answer": (put("3.heads.0.answer", lambda was: "no" if was == "yes" else "yes"), 3),
    "a ratio beyond the cap": (put("3.detector.log10_ratio", 9.0), 3),
    "a ratio below the cap": (put("3.detector", lambda was: was | {"log10_ratio": 0.001, "lower": None, "upper": None}), 4),
    "an interval": (put("3.detector", lambda was: was | {"lower": -7.0, "upper": 7.0}), 4),
    "an interval that holds no ratio": (put("3.detector.lower", 8.0), 3),
    "a validity given": (put("1.detector.valid", True), 3),  # noqa: FBT003
    "a validity taken": (put("3.heads.1.valid", False), 3),  # noqa: FBT003
    "a reach taken": (put("2.heads.0.reach", None), 3),
    "figures of a reach": (put("2.detector.reach.recall.hits", 2), 3),
    "figures and the ratio they give": (
        put("2.detector", lambda was: was | {"reach": None, "log10_ratio": None, "lower": None, "upper": None}),
        4,
    ),
    "figures that no count gives": (put("2.detector.reach.recall.hits", 4000), 3),
    "a rung of no ladder": (put("2.strata.0.rung.strength", 77), 3),
    "an instrument's rung of no ladder": (put("0.detector.validated.0.strength", 77), 4),
    "a number that no network gives": (put("3.detector.logit", 1e300), 3),
    "a stratum": (put("2.strata", []), 3),
    "a condition": (put("2.condition.jpeg_quality", 40), 3),
    "a size of the condition": (put("2.condition.width", 640), 3),
    "noise below its threshold": (put("3.condition.noise", 0.77), 5),
    "what the scores say": (put("3.scores_say", lambda was: "real" if was != "real" else "multiple"), 3),
    "the state": (put("3.state", lambda was: "real" if was != "real" else "multiple"), 3),
    "the claims": (put("3.claimed_by", lambda was: [] if was else ["alpha@1"]), 3),
    "a doubt": (put("3.doubts", lambda was: [*was, "The moon was full."]), 3),
    "a doubt taken": (put("1.doubts", []), 3),
    "the explanation": (put("3.explanation", "It is beyond doubt."), 3),
    "a trial": (put("3.trials.0", {"change": "none", "state": "attributed", "claimed_by": []}), 3),
    "a trial's claims": (put("3.trials.0", {"change": "none", "state": "attributed", "claimed_by": ["nobody@9"]}), 3),
    "the file's sha256": (put("3.item.sha256", NO_DIGEST), 5),
    "the file's sha512": (put("3.item.sha512", "0" * 128), 5),
    "the picture's digest": (put("3.item.pixels", NO_DIGEST), 5),
    "the width": (put("3.item.width", 47), 5),
    "the mode": (put("3.item.mode", "L"), 5),
    "the format": (put("3.item.file_format", "JPEG"), 5),
    "EXIF data": (put("3.item.exif", {"Make": "Forged"}), 5),
    "quantisation tables": (put("2.item.quantisation.0.0", 99), 5),
    "that it was resampled": (put("3.item.resampled", lambda was: not was), 5),
    "a name": (put("3.item.name", "innocent.png"), None),
    "a note": (put("3.item.notes", ["shown to a witness"]), None),
    "a moment": (put("3.created", TIME), None),
    "the reason of a failure": (put("7.reason", "it was never asked for"), None),
    "a record less": (lambda lines: lines.pop(3), None),
    "two records exchanged": (lambda lines: lines.insert(3, lines.pop(4)), None),
    "no instrument": (lambda lines: lines.pop(0), 2),
    "the instrument after a record": (lambda lines: lines.insert(1, lines.pop(0)), 2),
    "a field that nobody declared": (put("3.sworn", True), 2),  # noqa: FBT003
    "the hub": (put("0.hub", "another-hub"), 4),
    "a head's digest": (put("0.heads.0.head", NO_DIGEST), 4),
    "a head's owner": (put("0.heads.0.generator.owner", "mallory"), 4),
    "a head's recall": (put("0.heads.0.recall.hits", 39), 4),
    "a band's count": (put("0.detector.band.negatives", 40_000), 4),
    "a cap": (put("0.heads.0.standing.cap", 9.0), 4),
    "what a head was validated for": (put("0.heads.0.standing.validated", [{"ladder": "jpeg", "strength": 30}]), 4),
    "the suite": (put("0.calibration.suite", "sha256:" + "1" * 64), 4),
    "what was left out": (put("0.left_out", []), 4),
    "the rule": (put("0.rule", ["Whatever the examiner says."]), 4),
    "the warnings": (put("0.warnings", ["none"]), 4),
    "the bundle": (put("0.bundle", NO_DIGEST), 4),
    "the software": (put("0.software", "manyheads 9"), None),
    "the metadata's dates": (put("0.metadata.confirmed", TIME), None),
}


@pytest.mark.parametrize("what", EDITS)
def test_whatever_is_changed_breaks_the_seal_and_what_can_be_told_is_told_without_it(
    scan: Path, desk: Path, shelf: Shelf, what: str
) -> None:
    edit, number = EDITS[what]
    edit_scan(scan, edit)
    means = Means(KEY.public_key, shelf, originals=Originals(desk / "images"))
    sealed = verify_report(scan, means)
    assert sealed.steps[0].outcome == "fails"
    seal_path(scan).unlink()
    unsealed = verify_report(scan, Means(shelf=shelf, originals=means.originals))
    failed = [step.number for step in unsealed.steps if step.problem_count]
    assert (number in failed) if number else (failed == []), words(unsealed)


def test_bytes_after_the_last_line_are_found(scan: Path) -> None:
    scan.write_bytes(scan.read_bytes() + b'{"claimed_by":[')
    assert "the last line is unfinished" in words(verify_report(scan, Means()))


def test_spelling_a_line_otherwise_is_found(scan: Path) -> None:
    scan.write_bytes(scan.read_bytes().replace(b'"claimed_by":', b'"claimed_by": ', 1))
    verification = verify_report(scan, Means())
    assert outcomes(verification)[1] == "fails"
    assert "canonical" in words(verification)


def test_a_record_moved_to_another_file_breaks_both_seals(scan: Path, lab: Path, bundle: Bundle, tmp_path: Path) -> None:
    other = make_scan(tmp_path / "other.jsonl", [lab / "images" / "009.png"], bundle, KEY, stability=False)
    lines = read_lines(scan)
    write_lines(other, [*read_lines(other), lines.pop(3)])
    write_lines(scan, lines)
    for records in (scan, other):
        verification = verify_report(records, Means(KEY.public_key))
        assert outcomes(verification)[:3] == ["fails", "holds", "holds"]  # each record agrees with its instrument


def test_a_seal_moved_to_another_file_fails(scan: Path, lab: Path, bundle: Bundle, tmp_path: Path) -> None:
    other = make_scan(tmp_path / "other.jsonl", [lab / "images" / "009.png"], bundle, None)
    shutil.copy(seal_path(scan), seal_path(other))
    assert "another file's" in words(verify_report(other, Means(KEY.public_key)))


def test_a_record_of_another_bundles_instrument_is_found(scan: Path) -> None:
    lines = read_lines(scan)
    stranger = dict(lines[0], bundle=NO_DIGEST)
    write_lines(scan, [*lines, stranger, lines[3]])
    assert "instruments of 2 bundles" in words(verify_report(scan, Means()))


def test_a_pack_serves_as_well_as_a_store_and_its_root_is_asked_for(desk: Path, store: Store, tmp_path: Path) -> None:
    export_bundle(store, tmp_path / "bundle.pack")
    root = store.read_root()
    with open_shelf(None, tmp_path / "bundle.pack", root) as shelf:
        assert outcomes(verify_report(desk / "scan.jsonl", Means(KEY.public_key, shelf)))[3] == "holds"
    with open_shelf(None, tmp_path / "bundle.pack", None) as shelf:
        verification = verify_report(desk / "scan.jsonl", Means(shelf=shelf, root_given=False))
        assert verification.holds
        assert "--root" in "\n".join(verification.not_checked)


def test_a_pack_of_another_hubs_root_or_another_bundle_fails(desk: Path, store: Store, tmp_path: Path, scan: Path) -> None:
    export_bundle(store, tmp_path / "bundle.pack")
    with open_shelf(None, tmp_path / "bundle.pack", HubSimulator().root_bytes) as shelf:
        assert "WrongRootError" in words(verify_report(desk / "scan.jsonl", Means(shelf=shelf)))
    edit_scan(scan, put("0.bundle", NO_DIGEST))
    with open_shelf(None, tmp_path / "bundle.pack", None) as shelf:
        assert "NoBundleError" in words(verify_report(scan, Means(shelf=shelf)))


def test_a_changed_image_is_found_and_a_missing_one_is_said(scan: Path, desk: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(desk / "images", tmp_path / "images"))
    (folder / "000.png").write_bytes((folder / "001.png").read_bytes())
    (folder / "002.png").unlink()
    verification = verify_report(scan, Means(originals=Originals(folder)))
    assert [step.number for step in verification.steps if step.problem_count] == [5]
    assert "another content" in words(verification)
    assert "1 images that were not found." in verification.not_checked


def test_an_image_is_found_by_its_digest_whatever_its_name(scan: Path, desk: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted((desk / "images").iterdir())):
        shutil.copy(path, tmp_path / f"renamed-{number}{path.suffix}")
    verification = verify_report(scan, Means(originals=Originals(tmp_path)))
    assert (verification.holds, verification.steps[4].checked) == (True, 6)


def test_an_image_in_an_archive_is_found_by_its_digest(scan: Path, desk: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with tarfile.open(tmp_path / "images" / "handed-over.tar.gz", "w:gz") as archive:
        archive.add(desk / "images", "exhibit")
    verification = verify_report(scan, Means(originals=Originals(tmp_path / "images")))
    assert (verification.holds, verification.steps[4].checked) == (True, 6)


def test_a_file_that_holds_no_records_is_refused_or_found(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    assert "it holds no records" in words(verify_report(tmp_path / "empty.jsonl", Means()))
    with pytest.raises(UsageError, match="record file"):
        verify_report(tmp_path / "nowhere.jsonl", Means())
