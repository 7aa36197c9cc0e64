"""Records examined again: equal to the last bit where they were made, and what differs is named with its reason."""

import shutil
from pathlib import Path

import pytest

from manyheads_client import Bundle
from manyheads_client.errors import NoBundleError
from manyheads_client.originals import Originals
from manyheads_client.provenance import StoreShelf
from manyheads_client.records import read_latest
from manyheads_client.replaying import Outcome, Replay, replay
from manyheads_client.store import Store
from manyheads_shared.evidence import Examined
from tests.support.dossier import Edit, edit_scan, make_scan, put
from tests.support.makers import NO_DIGEST


@pytest.fixture
def desk(lab: Path, tmp_path: Path) -> Path:
    shutil.copytree(lab / "images", tmp_path / "images")
    return tmp_path


@pytest.fixture
def scan(desk: Path, bundle: Bundle) -> Path:
    return make_scan(desk / "scan.jsonl", sorted((desk / "images").iterdir())[:6], bundle, None)


def again(scan: Path, store: Store, images: Path | None = None) -> list[Replay]:
    entries = [record for record in read_latest(scan) if isinstance(record, Examined)]
    return list(replay(entries, StoreShelf(store), Originals(images), device="cpu"))


def test_the_same_machine_gives_every_bit_again_whatever_is_beside_an_image(scan: Path, store: Store) -> None:
    assert {each.outcome for each in again(scan, store)} == {Outcome.EQUAL}
    entries = [record for record in read_latest(scan) if isinstance(record, Examined)]
    (alone,) = replay(entries[4:5], StoreShelf(store), Originals(), device="cpu")
    assert (alone.outcome, alone.largest, alone.reasons) == (Outcome.EQUAL, 0.0, ())


CLOSE: Edit = put("1.detector.logit", lambda logit: logit + 2**-14)
FAR: Edit = put("1.detector.logit", lambda logit: logit + 2**-9)


def test_one_bit_less_differs_where_the_record_names_this_machine(scan: Path, store: Store) -> None:
    edit_scan(scan, CLOSE)
    first, *others = again(scan, store)
    assert (first.outcome, first.holds) == (Outcome.DIFFERS, False)
    assert "equal to the last bit" in first.reasons[0]
    assert "device and software are those of the record" in first.reasons
    assert all(each.holds for each in others)


@pytest.mark.parametrize(("edit", "outcome"), [(CLOSE, Outcome.CLOSE), (FAR, Outcome.DIFFERS)])
def test_a_record_of_another_device_may_differ_by_rounding_and_no_more(
    scan: Path, store: Store, edit: Edit, outcome: Outcome
) -> None:
    edit_scan(scan, lambda lines: (edit(lines), put("0.device", "a computer of before")(lines)))
    first, *_ = again(scan, store)
    assert first.outcome is outcome
    assert any("device was a computer of before" in reason for reason in first.reasons)


def test_another_answer_is_named(scan: Path, store: Store) -> None:
    edit_scan(scan, put("1.heads.1.answer", lambda was: "no" if was == "yes" else "yes"))
    first, *_ = again(scan, store)
    assert first.outcome is Outcome.DIFFERS
    assert first.reasons[0].startswith("beta@1: ")


def test_an_image_that_is_gone_or_another_is_told_and_the_others_go_on(scan: Path, store: Store, desk: Path) -> None:
    (desk / "images" / "000.png").unlink()
    shutil.copy(desk / "images" / "010.png", desk / "images" / "001.png")
    outcomes = [each.outcome for each in again(scan, store)]
    assert outcomes == [Outcome.GONE, Outcome.GONE, *[Outcome.EQUAL] * 4]


def test_images_that_moved_are_found_by_digest(scan: Path, store: Store, desk: Path) -> None:
    (desk / "images").rename(desk / "elsewhere")
    for number, path in enumerate(sorted((desk / "elsewhere").iterdir())):
        path.rename(desk / "elsewhere" / f"z{number}.png")
    assert all(each.outcome is Outcome.GONE for each in again(scan, store))
    assert all(each.outcome is Outcome.EQUAL for each in again(scan, store, desk / "elsewhere"))


def test_a_bundle_that_was_never_here_is_an_error(scan: Path, store: Store) -> None:
    edit_scan(scan, put("0.bundle", NO_DIGEST))
    with pytest.raises(NoBundleError, match="never adopted here"):
        again(scan, store)
