from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads_contributor.artifacts import load_subject
from manyheads_contributor.duplicates import fingerprint
from manyheads_contributor.evaluate import Scored, choose_items, evaluate, leave_out_seen, score_items
from manyheads_contributor.run import RunFolder
from manyheads_shared.artifact import PrimaryArtifact, read_primary
from manyheads_shared.compute import choose_compute
from manyheads_shared.dataset import Dataset, Item, Kind, scan_dataset
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import DatasetError, PrimaryMismatchError, UsageError
from manyheads_shared.scoring import Scorer
from tests.support.makers import make_head_bytes, make_images, make_primary_bytes, write_dataset
from tests.support.training import SOURCES


def _item(kind: Kind, source: str, number: int, *, external: bool = False) -> Item:
    path = Path(f"{kind}-{source}-{number}.png")
    return Item(kind, source, external, path, digest_bytes(str(path).encode()))


ITEMS = (
    *(_item("real", "photos", i) for i in range(4)),
    *(_item("generated", "alpha", i) for i in range(4)),
    *(_item("generated", "beta", i) for i in range(2)),
    _item("generated", "gamma", 0, external=True),
    _item("real", "other", 0, external=True),
)
# detector, head for alpha
LOGITS = np.array(
    [[-1, -1], [-1, -1], [-1, 1], [1, -1], [1, 1], [1, 1], [-1, 1], [1, -1], [1, -1], [1, 1], [1, 1], [-1, -1]],
    dtype=np.float32,
)
PRINTS = tuple(fingerprint(pixels) for pixels in make_images(len(ITEMS)))
SCORED = Scored(ITEMS, PRINTS, LOGITS, ())


def test_a_detectors_figures_are_counted_by_hand() -> None:
    found = evaluate(SCORED, None)
    assert (found.metrics.true_positives, found.metrics.false_negatives) == (5, 1)
    assert (found.metrics.false_positives, found.metrics.true_negatives) == (1, 3)
    assert found.external_generated is not None
    assert found.external_real is not None
    assert (found.external_generated.hits, found.external_real.hits) == (1, 1)
    assert found.contradictions is None


def test_a_heads_figures_are_counted_by_hand() -> None:
    found = evaluate(SCORED, "alpha")
    assert (found.metrics.true_positives, found.metrics.false_negatives) == (3, 1)
    assert (found.metrics.false_positives, found.metrics.true_negatives) == (2, 4)
    assert found.external_generated is not None
    assert found.external_generated.hits == 0  # it claimed an unseen generator's image
    of_real, of_claimed = found.contradictions or (None, None)
    assert of_real is not None
    assert of_claimed is not None
    assert (of_real.hits, of_real.total, of_claimed.total) == (2, 4, 5)


def test_every_source_has_its_own_line() -> None:
    found = evaluate(SCORED, "alpha")
    lines = {
        (figures.kind, figures.source): (figures.positive, figures.yes.hits, figures.yes.total) for figures in found.sources
    }
    assert lines[("generated", "beta")] == (False, 1, 2)
    assert lines[("generated", "alpha")] == (True, 3, 4)
    assert [figures.external for figures in found.sources] == [False, False, False, True, True]


def test_the_json_carries_intervals_and_no_nan() -> None:
    value = evaluate(Scored(ITEMS[:4], PRINTS[:4], LOGITS[:4], ()), None).to_json()
    assert value["recall"] is None
    assert value["auroc"] is None
    assert value["false_positive_rate"]["hits"] == 1
    assert 0 < value["false_positive_rate"]["lower"] < 0.25 < value["false_positive_rate"]["upper"]


def test_a_run_is_measured_on_its_test_side_and_the_external_images(primary_run: Path, dataset: Dataset) -> None:
    folder = RunFolder(primary_run)
    items = choose_items(dataset, (folder, folder.read()), everything=False)
    sides = folder.read_split()
    assert {item.digest for item in items if not item.external} == sides["test"]
    assert {item.source for item in items if item.external} == {"gamma", "other"}


def test_a_run_is_not_measured_on_other_data_by_accident(primary_run: Path, tmp_path: Path) -> None:
    folder = RunFolder(primary_run)
    foreign = scan_dataset(write_dataset(tmp_path, SOURCES, seed=9))
    with pytest.raises(DatasetError, match="give those, or --all"):
        choose_items(foreign, (folder, folder.read()), everything=False)
    assert choose_items(foreign, (folder, folder.read()), everything=True) == foreign.items


def test_images_a_run_has_seen_are_left_out_even_of_all(primary_run: Path, dataset: Dataset) -> None:
    folder = RunFolder(primary_run)
    chosen = choose_items(dataset, (folder, folder.read()), everything=True)
    assert not {item.digest for item in chosen} & folder.read_split()["train"]


def test_training_images_saved_in_another_format_are_left_out(
    primary_run: Path, primary: PrimaryArtifact, dataset: Dataset, tmp_path: Path
) -> None:
    folder = RunFolder(primary_run)
    for item in dataset.select(external=False):
        target = tmp_path / item.path.relative_to(dataset.root).with_suffix(".webp")
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(item.path).save(target, lossless=True)
    items = choose_items(scan_dataset(tmp_path), (folder, folder.read()), everything=True)
    scored = score_items(Scorer(primary, [], choose_compute("cpu", "float32")), items, profile="clean", seed=0)
    unseen = leave_out_seen(scored, folder.read_seen())
    images = folder.read().images
    assert len(unseen.items) == len(unseen.logits) == len(unseen.prints) == images["test"]
    assert evaluate(unseen, None).copies == images["train"] + images["val"]
    with pytest.raises(DatasetError, match="has not seen"):
        leave_out_seen(unseen, unseen.prints)


def test_images_of_one_picture_are_told_apart_from_independent_ones() -> None:
    doubled = Scored(ITEMS, (*PRINTS[:1], *PRINTS[:-1]), LOGITS, ())
    found = evaluate(doubled, "alpha")
    assert (found.count, found.groups) == (12, 11)
    assert [figures.groups for figures in found.sources if figures.source == "photos"] == [3]
    by_name = evaluate(SCORED, "alpha", group_pattern=r"beta-(\d)")
    assert by_name.groups == 12
    assert evaluate(SCORED, "alpha", group_pattern=r"(beta)").groups == 11


def test_an_artifact_alone_cannot_say_what_it_has_seen(dataset: Dataset) -> None:
    with pytest.raises(UsageError, match="give its run folder, or --all"):
        choose_items(dataset, None, everything=False)


def test_a_damaged_image_is_listed_and_passed_over(primary: PrimaryArtifact, tmp_path: Path) -> None:
    write_dataset(tmp_path, {"real/photos": 3, "generated/alpha": 3})
    (tmp_path / "real" / "photos" / "0001.png").write_bytes(b"no picture")
    scorer = Scorer(primary, [], choose_compute("cpu", "float32"))
    scored = score_items(scorer, scan_dataset(tmp_path).items, profile="clean", seed=0)
    assert len(scored.items) == len(scored.logits) == 5
    assert "0001.png" in scored.failures[0]


def test_an_image_too_large_to_degrade_is_listed_and_passed_over(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"real/photos": 3, "generated/alpha": 3})
    wide = tmp_path / "real" / "photos" / "wide.png"
    Image.new("RGB", (66_000, 16)).save(wide)
    scorer = Scorer(read_primary(make_primary_bytes(size=None)), [], choose_compute("cpu", "float32"))
    seeds = [score_items(scorer, scan_dataset(tmp_path).items, profile="paper-as-run-jpeg", seed=seed) for seed in range(8)]
    refused = [scored for scored in seeds if scored.failures]
    assert refused
    assert all(len(scored.items) == 6 and f"{wide}: 66000x16" in scored.failures[0] for scored in refused)


def test_degraded_scores_are_those_of_their_seed(primary: PrimaryArtifact, dataset: Dataset) -> None:
    scorer = Scorer(primary, [], choose_compute("cpu", "float32"))
    items = dataset.items[:20]
    first, again, other = (score_items(scorer, items, profile="paper-as-written", seed=seed).logits for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_trained_run_is_a_subject_with_the_right_columns(head_run: Path, primary: PrimaryArtifact, tmp_path: Path) -> None:
    (tmp_path / "primary.safetensors").write_bytes(make_primary_bytes())
    subject = load_subject(head_run, tmp_path / "primary.safetensors")
    assert subject.generator == "alpha"
    assert Scorer(subject.primary, subject.heads, choose_compute("cpu", "float32")).head_count == 1


def test_a_head_without_its_primary_is_refused(head_run: Path, primary: PrimaryArtifact, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--primary"):
        load_subject(head_run, None)
    (tmp_path / "head.safetensors").write_bytes(make_head_bytes(primary))
    with pytest.raises(UsageError, match="is a head; name the primary"):
        load_subject(tmp_path / "head.safetensors", None)


def test_a_head_run_on_another_primary_is_refused(head_run: Path, tmp_path: Path) -> None:
    (tmp_path / "other.safetensors").write_bytes(make_primary_bytes(seed=5))
    with pytest.raises(PrimaryMismatchError):
        load_subject(head_run, tmp_path / "other.safetensors")
