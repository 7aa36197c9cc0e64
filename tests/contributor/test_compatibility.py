"""Backward-compatible training: heads for an earlier primary go on working on the new one."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from typer.testing import CliRunner

from manyheads_contributor.artifacts import build_primary_artifact, read_primary_run
from manyheads_contributor.cli import app
from manyheads_contributor.compatibility import CompatiblePrimary, Compatibly, Earlier
from manyheads_contributor.recipe import RecipeError
from manyheads_contributor.run import RunError, RunFolder
from manyheads_contributor.train import YesNo
from manyheads_contributor.training_run import train_primary
from manyheads_shared.artifact import PrimaryArtifact, read_head, read_primary
from manyheads_shared.compute import choose_compute
from manyheads_shared.dataset import Dataset, scan_dataset
from manyheads_shared.networks import build_primary, load_head, load_primary
from manyheads_shared.passage import Passage
from manyheads_shared.scoring import Scorer
from tests.support.makers import SIZE, make_generator, make_head, make_primary_bytes
from tests.support.training import tiny_recipe
from tests.support.world import TINTS, draw_images, encode, trained_head, trained_primary

CPU = choose_compute("cpu", "float32")
IMAGES = [image for source in TINTS for image in draw_images(source, 8, seed=4)]


RECIPE = ("compatibility=10", "batch_size=32", "batch_norm_images=90", "max_epochs=12", "patience=12")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Images like those that the earlier primary learned from, and of one generator more."""
    root = tmp_path_factory.mktemp("world")
    for folder, name, count in (("real", "photos", 60), ("generated", "alpha", 40), ("generated", "gamma", 40)):
        (root / folder / name).mkdir(parents=True)
        for i, image in enumerate(draw_images(name, count, seed=8)):
            (root / folder / name / f"{i:03d}.png").write_bytes(encode(image))
    return scan_dataset(root)


@pytest.fixture(scope="module")
def earlier() -> Earlier:
    primary = read_primary(trained_primary("1"))
    return Earlier(primary, (read_head(trained_head(make_generator("alpha")), primary),))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, world: Dataset, earlier: Earlier) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "compatible"
    train_primary(world, tiny_recipe(*RECIPE), folder, earlier=earlier, device="cpu")
    return folder


def straight(primary: PrimaryArtifact, earlier: Earlier) -> np.ndarray:
    (head,) = earlier.heads
    passages = {head.digest: Passage(earlier.primary, "straight")}
    return Scorer(primary, [head], CPU, passages=passages).score(IMAGES)[:, 1]


def test_an_old_head_gives_nearly_its_old_logits_on_the_new_trunk(run: Path, earlier: Earlier) -> None:
    primary = read_primary(build_primary_artifact(read_primary_run(RunFolder(run)), name="tiny", version="2"))
    before = Scorer(earlier.primary, list(earlier.heads), CPU).score(IMAGES)[:, 1]
    after = straight(primary, earlier)

    assert np.corrcoef(before, after)[0, 1] > 0.99
    assert primary.digest != earlier.primary.digest


def test_the_same_training_without_the_earlier_primary_loses_them(world: Dataset, tmp_path: Path, earlier: Earlier) -> None:
    train_primary(world, tiny_recipe(*RECIPE), tmp_path / "run", device="cpu")
    primary = read_primary(build_primary_artifact(read_primary_run(RunFolder(tmp_path / "run")), name="tiny", version="2"))
    before = Scorer(earlier.primary, list(earlier.heads), CPU).score(IMAGES)[:, 1]

    assert abs(np.corrcoef(before, straight(primary, earlier))[0, 1]) < 0.9


def test_the_run_names_the_earlier_primary_and_its_heads(run: Path, earlier: Earlier, world: Dataset) -> None:
    identity = RunFolder(run).read().identity
    assert (identity.earlier, identity.earlier_heads) == (earlier.primary.digest, (earlier.heads[0].digest,))
    with pytest.raises(RunError, match="another set of earlier heads"):
        train_primary(world, tiny_recipe(*RECIPE), run, earlier=Earlier(earlier.primary), device="cpu")


def test_only_the_new_networks_weights_are_learned_and_kept(run: Path, earlier: Earlier) -> None:
    names = safetensors.numpy.load_file(run / "best.safetensors").keys()
    assert set(names) == set(earlier.primary.tensors)


def test_the_distance_is_none_where_nothing_has_moved(earlier: Earlier) -> None:
    network = earlier.hold(build_primary(earlier.primary.architecture, SIZE, seed=3), CPU).eval()
    outputs = network(torch.randn(4, 3, SIZE, SIZE))
    labels = torch.tensor([0.0, 1.0, 0.0, 1.0])

    assert isinstance(network, CompatiblePrimary)
    assert outputs[:, 1].abs().max() == 0
    assert Compatibly(YesNo(), 5.0).loss(outputs, labels) == YesNo().loss(outputs[:, 0], labels)
    assert len(list(network.parameters())) == len(list(load_primary(earlier.primary).parameters()))


def test_a_recipe_of_another_shape_is_refused(dataset: Dataset, tmp_path: Path, earlier: Earlier) -> None:
    with pytest.raises(RecipeError, match="earlier primary's preprocessing"):
        train_primary(dataset, tiny_recipe("image_size=64"), tmp_path / "run", earlier=earlier, device="cpu")
    with pytest.raises(RecipeError, match="earlier primary's architecture"):
        train_primary(dataset, tiny_recipe("architecture=khoo2022-dct"), tmp_path / "run", earlier=earlier, device="cpu")


def test_a_dct_primary_sees_images_as_the_earlier_one_does(dataset: Dataset, tmp_path: Path) -> None:
    primary = read_primary(make_primary_bytes("khoo2022-dct"))
    recipe = tiny_recipe("architecture=khoo2022-dct", "max_epochs=1")
    train_primary(dataset, recipe, tmp_path / "run", earlier=Earlier(primary, (make_head(primary),)), device="cpu")
    tensors = safetensors.numpy.load_file(tmp_path / "run" / "best.safetensors")

    np.testing.assert_array_equal(tensors["preprocessing.mean"], primary.tensors["preprocessing.mean"])
    assert load_head(make_head(primary), primary) is not None


def test_the_command_takes_heads_only_with_their_primary(dataset: Dataset, tmp_path: Path) -> None:
    arguments = ["train-primary", str(dataset.root), "--out", str(tmp_path / "run"), "--head", "head.safetensors"]
    result = CliRunner().invoke(app, arguments)

    assert "--compatible-with" in str(result.exception)
