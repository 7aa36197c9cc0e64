"""The commands around a training, as a person reads them."""

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from manyheads_contributor.cli import app
from manyheads_shared.dataset import Dataset
from manyheads_shared.keys import generate_key, write_private_key
from tests.support.makers import SIZE, make_primary_bytes

BRIEF = ("max_epochs=1", "batch_size=8", f"image_size={SIZE}", "precision=float32")


@pytest.fixture
def primary_file(tmp_path: Path) -> Path:
    path = tmp_path / "primary.safetensors"
    path.write_bytes(make_primary_bytes())
    return path


def _run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(part) for part in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result


def _train(*arguments: str | Path) -> Result:
    return _run(*arguments, "--device", "cpu", *(part for change in BRIEF for part in ("--set", change)))


def test_a_primary_in_training_says_what_it_does_and_where_it_ends(dataset: Dataset, tmp_path: Path) -> None:
    said = _train("train-primary", dataset.root, "--out", tmp_path / "run").stderr
    assert f"primary, khoo2022-pixel, {SIZE} px: " in said
    assert "epoch   1/1  train loss" in said
    assert "finished: epoch 1 of 1 was best" in said


def test_a_head_in_training_names_its_generator(dataset: Dataset, primary_file: Path, tmp_path: Path) -> None:
    said = _train(
        "train-head", dataset.root, "--generator", "alpha", "--primary", primary_file, "--out", tmp_path / "run"
    ).stderr
    assert said.startswith("head for alpha, khoo2022-pixel")
    assert "finished: epoch 1 of 1 was best" in said


def test_pictures_that_recur_are_told_before_and_after_training(tmp_path: Path, dataset: Dataset) -> None:
    doubled = tmp_path / "data"
    for item in dataset.items:
        for copy in ("a", "b"):
            target = doubled / item.path.relative_to(dataset.root).with_stem(f"{item.path.stem}{copy}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(item.path.read_bytes())
    assert "pictures to train, validate and test on" in _train("train-primary", doubled, "--out", tmp_path / "run").stderr
    words = " ".join(_run("evaluate", tmp_path / "run", doubled).stdout.split())
    assert "the intervals count every image, and are too narrow where pictures recur" in words


def test_figures_are_printed_with_their_intervals_source_by_source(
    head_run: Path, dataset: Dataset, primary_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    lines = _run("evaluate", head_run, dataset.root, "--primary", primary_file).stdout.splitlines()
    rows = {" ".join(line.split()[:1]): line for line in lines}
    assert "clean images" in lines[0]
    assert "% [" in rows["F1"]
    assert "claimed, of those called real" in "\n".join(lines)
    assert rows["external/generated/gamma"].split()[1:3] == ["8", "8"]
    assert rows["generated/alpha"].split()[-2] == "yes"


def test_a_packaged_head_is_printed_with_its_statement(head_run: Path, primary_file: Path, tmp_path: Path) -> None:
    write_private_key(tmp_path / "key.pem", generate_key())
    out = tmp_path / "head.safetensors"
    who = ("--version", "1", "--owner", "ada", "--level", "instance", "--key", tmp_path / "key.pem")
    said = _run("package", head_run, "--out", out, "--primary", primary_file, *who).stdout
    assert said.startswith(f"{out}  sha256:")
    assert f"{out}.statement.json  the owner's statement" in said
