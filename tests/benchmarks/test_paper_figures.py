import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.paper.cells import list_cells
from benchmarks.paper.config import read_config
from benchmarks.paper.figures import catalogue, oscr, precision_recall_f1, softmax_classes, yes_no
from benchmarks.paper.records import add_record, read_records
from benchmarks.paper.tables import accuracy
from benchmarks.paper.training import class_weights
from manyheads_shared.compute import choose_compute
from manyheads_shared.dataset import Item, Kind
from manyheads_shared.digest import digest_bytes


def _item(kind: Kind, source: str, *, external: bool = False) -> Item:
    return Item(kind, source, external, Path(source), digest_bytes(source.encode()))


ITEMS = (
    _item("real", "photos"),
    _item("generated", "alpha"),
    _item("generated", "alpha"),
    _item("generated", "beta"),
    _item("generated", "unseen", external=True),
)


def test_yes_is_counted_by_source_and_external_images_stay_out_of_the_area() -> None:
    figures = yes_no(ITEMS, np.array([-1, 1, -2, -3, 9], np.float32), np.array([False, True, True, False, False]))

    assert figures["yes"]["generated/alpha"] == [1, 2]
    assert figures["yes"]["external/generated/unseen"] == [1, 1]
    assert figures["auroc"] == pytest.approx(3 / 4)


def test_precision_recall_and_f1_leave_external_images_out() -> None:
    yes = {"real/photos": [1, 10], "generated/alpha": [3, 4], "external/generated/unseen": [5, 5]}

    assert precision_recall_f1(yes, ["generated/alpha"]) == pytest.approx((3 / 4, 3 / 4, 3 / 4))


def test_a_network_that_never_says_yes_has_no_f1_and_does_not_fail() -> None:
    assert precision_recall_f1({"real/photos": [0, 1], "generated/alpha": [0, 4]}, ["generated/alpha"]) == (0.0, 0.0, 0.0)


def test_heads_are_decided_as_published_whatever_the_detector_says() -> None:
    logits = np.array([[9, -1, -2], [-9, 1, 2], [9, 3, 2], [9, -1, 0], [9, 1, 0]], np.float32)
    figures = catalogue(ITEMS, logits, ("alpha", "beta"))

    assert figures["confusion"]["real/photos"] == {"real": 1}
    assert figures["confusion"]["generated/alpha"] == {"alpha": 1, "beta": 1}
    assert accuracy(figures["confusion"]) == pytest.approx((1 + 1 / 2 + 1) / 3)


def test_a_softmax_takes_its_largest_class() -> None:
    logits = np.array([[3, 1, 2], [0, 1, 0], [0, 0, 1], [5, 0, 0], [0, 0, 9]], np.float32)
    figures = softmax_classes(ITEMS, logits, ("alpha", "beta"))

    assert figures["confusion"]["generated/beta"] == {"real": 1}
    assert accuracy(figures["confusion"]) == pytest.approx((1 + 1 / 2 + 0) / 3)


def test_accuracy_weighs_every_source_alike() -> None:
    rows = {
        "real/photos": {"real": 90, "alpha": 10},
        "generated/alpha": {"alpha": 1, "real": 1},
        "external/real/x": {"alpha": 5},
    }

    assert accuracy(rows) == pytest.approx((0.9 + 0.5) / 2)


def test_class_weights_give_every_class_the_same_weight() -> None:
    labels = np.repeat(np.arange(3, dtype=np.float32), [6, 2, 1])
    weights = class_weights(labels, choose_compute("cpu")).numpy()

    assert np.bincount(labels.astype(int)) * weights == pytest.approx(np.full(3, 3.0))


def test_oscr_is_one_when_every_known_image_is_right_and_above_every_unknown_one() -> None:
    known = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)

    assert oscr(known, np.array([0, 1]), np.array([0.5, 0.6], np.float32)) == 1.0
    assert oscr(known, np.array([1, 0]), np.array([0.5, 0.6], np.float32)) == 0.0


def test_oscr_of_scores_that_tell_nothing_is_half_the_accuracy() -> None:
    draw = np.random.default_rng(0)
    known, truth = draw.uniform(size=(4000, 2)).astype(np.float32), draw.integers(0, 2, 4000)

    assert oscr(known, truth, draw.uniform(size=(4000, 2)).max(axis=1).astype(np.float32)) == pytest.approx(0.25, abs=0.02)


def test_a_record_cut_short_by_a_kill_is_measured_again(tmp_path: Path) -> None:
    config = read_config()
    first, second = list_cells(config)[:2]
    add_record({"cell": first.to_json(), "config": config.digest_of("faces64")}, tmp_path)
    with (tmp_path / "records" / f"{first.chain.name}.jsonl").open("ab") as stream:
        stream.write(json.dumps({"cell": second.to_json()}).encode()[:30])

    assert set(read_records(config, tmp_path)) == {first}
    add_record({"cell": second.to_json(), "config": config.digest_of("faces64")}, tmp_path)
    assert set(read_records(config, tmp_path)) == {first, second}


def test_records_of_another_list_of_numbers_do_not_count(tmp_path: Path) -> None:
    config = read_config()
    add_record({"cell": list_cells(config)[0].to_json(), "config": config.digest_of("faces64")}, tmp_path)

    assert read_records(config.model_copy(update={"split_seed": 1}), tmp_path) == {}
    others = config.model_copy(update={"seeds": (1, 2), "images": {"faces64": config.images["faces64"]}})
    assert len(read_records(others, tmp_path)) == 1
