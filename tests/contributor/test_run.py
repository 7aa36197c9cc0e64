import json
from pathlib import Path

import pytest

from manyheads_contributor.run import RunError, RunFolder
from manyheads_contributor.training_run import train_head, train_primary
from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.dataset import Dataset, scan_dataset
from tests.support.makers import make_primary, write_dataset
from tests.support.training import SOURCES, tiny_recipe


def test_a_finished_run_says_what_was_trained_on_what(primary_run: Path, dataset: Dataset) -> None:
    run = RunFolder(primary_run).read()
    assert run.result is not None
    assert run.identity.dataset == dataset.digest
    assert run.training.images == run.images["train"]
    assert sum(run.images.values()) == len(dataset.select(external=False))
    assert run.groups == run.images  # noise: no picture recurs


def test_the_split_file_lists_every_image_once(primary_run: Path, dataset: Dataset) -> None:
    sides = RunFolder(primary_run).read_split()
    assert set().union(*sides.values()) == {item.digest for item in dataset.select(external=False)}
    assert sum(map(len, sides.values())) == len(dataset.select(external=False))


def test_a_finished_run_keeps_no_checkpoint_and_no_cache(head_run: Path) -> None:
    kept = sorted(path.name for path in head_run.iterdir())
    assert kept == ["best.safetensors", "curve.png", "history.csv", "recipe.toml", "run.json", "seen.safetensors", "split.json"]


def test_the_written_recipe_gives_the_same_run(primary_run: Path) -> None:
    folder = RunFolder(primary_run)
    assert folder.read_recipe().digest == folder.read().identity.recipe


def test_another_recipe_is_refused_and_what_changed_is_named(primary_run: Path, dataset: Dataset) -> None:
    with pytest.raises(RunError, match=r"another recipe \(seed was 2021, now 7\)"):
        train_primary(dataset, tiny_recipe("seed=7"), primary_run, device="cpu")


def test_other_data_is_refused(primary_run: Path, tmp_path: Path) -> None:
    other = scan_dataset(write_dataset(tmp_path, SOURCES, seed=1))
    with pytest.raises(RunError, match="another data"):
        train_primary(other, tiny_recipe(), primary_run, device="cpu")


def test_another_primary_is_refused(head_run: Path, dataset: Dataset) -> None:
    with pytest.raises(RunError, match="another primary"):
        train_head(dataset, "alpha", make_primary(seed=5), tiny_recipe(), head_run, device="cpu")


def test_another_generator_is_refused(head_run: Path, dataset: Dataset, primary: PrimaryArtifact) -> None:
    with pytest.raises(RunError, match=r"another generator \(was alpha, now beta\)"):
        train_head(dataset, "beta", primary, tiny_recipe(), head_run, device="cpu")


def test_a_folder_with_something_else_is_left_alone(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not lose this")
    with pytest.raises(RunError, match="choose another --out"):
        train_primary(dataset, tiny_recipe(), tmp_path, device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a run folder"):
        RunFolder(tmp_path).read()


def test_a_run_file_of_another_version_is_refused(primary_run: Path, tmp_path: Path) -> None:
    value = json.loads((primary_run / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(value | {"mood": "good"}))
    with pytest.raises(RunError, match="mood"):
        RunFolder(tmp_path).read()
