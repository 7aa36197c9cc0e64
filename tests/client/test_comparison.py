"""Two scans of the same images: what changed between their bundles, image by image."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads_client import Bundle
from manyheads_client.comparison import Difference, compare_scans
from manyheads_client.store import Store
from manyheads_client.update import pull
from manyheads_shared.calibration import BoundedCalibration
from manyheads_shared.decision import State
from manyheads_shared.digest import digest_bytes
from tests.support.dossier import make_scan
from tests.support.hub_simulator import URL, HubSimulator
from tests.support.makers import MadeBundle


def without_last_head(made: MadeBundle) -> MadeBundle:
    """The next bundle: gamma is gone, and with it its band."""
    *kept, gone = made.manifest.heads
    calibration = BoundedCalibration.from_bytes(made.objects[made.manifest.calibration])
    data = calibration.model_copy(
        update={
            name: {head: value for head, value in getattr(calibration, name).items() if head != gone.head}
            for name in ("heads", "heads_evidence")
        }
    ).to_bytes()
    changes = {"heads": tuple(kept), "calibration": digest_bytes(data), "sequence": made.manifest.sequence + 1}
    return replace(made, manifest=made.manifest.model_copy(update=changes), objects={**made.objects, digest_bytes(data): data})


@pytest.fixture(scope="module")
def difference(made: MadeBundle, lab: Path, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Difference:
    folder = tmp_path_factory.mktemp("two")
    hub = HubSimulator(without_last_head(made))
    pull(Store(folder / "store"), URL, hub.root_bytes, hub)
    images = sorted((lab / "images").iterdir())
    renamed = [Path(shutil.copy(image, folder / f"renamed-{image.name}")) for image in images[:-1]]
    old = make_scan(folder / "old.jsonl", [*images, folder / "gone.png"], bundle, None, stability=False)
    new = make_scan(folder / "new.jsonl", renamed, Bundle.open(folder / "store"), None, stability=False)
    return compare_scans(old, new)


def test_images_are_matched_by_digest_whatever_their_names(difference: Difference) -> None:
    assert difference.transitions.total() == 39
    assert [Path(said.name).name for said in difference.only_old] == ["039.png"]
    assert (difference.only_new, difference.old.failed, difference.new.failed) == ((), 1, 0)


def test_what_a_head_that_went_had_claimed_is_listed(difference: Difference) -> None:
    assert (difference.came, difference.went, difference.replaced) == ((), ("gamma@1",), ())
    assert difference.changes
    assert all(
        "gamma@1" in change.old.claimed_by for change in difference.changes if change.old.state is not State.INCONCLUSIVE
    )
    assert not any("gamma@1" in change.new.claimed_by for change in difference.changes)


def test_transitions_count_every_image_that_is_in_both(difference: Difference) -> None:
    moved = sum(count for (old, new), count in difference.transitions.items() if old is not new)
    listed = sum(change.old.state is not change.new.state for change in difference.changes)
    assert moved == listed > 0


def test_a_scan_does_not_differ_from_itself(lab: Path, bundle: Bundle, tmp_path: Path) -> None:
    scan = make_scan(tmp_path / "scan.jsonl", sorted((lab / "images").iterdir())[:5], bundle, None, stability=False)
    same = compare_scans(scan, scan)
    assert (same.changes, same.only_old, same.only_new) == ((), (), ())
