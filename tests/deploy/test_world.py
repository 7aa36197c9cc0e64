"""The demo world: crops that stay in their tile, generators that are what their seed says."""

import re
from pathlib import Path

import numpy as np
import pytest

from deploy.demo.generators import GeneratorSpec, Kind, generate
from deploy.demo.photographs import SIZE, TILE_PATTERN, TRAINING, cut_crops
from deploy.demo.world import CATALOGUED, EXTERNAL, WorldSize, build_world
from manyheads_shared.dataset import scan_dataset
from manyheads_shared.image import Pixels, read_image

TINY = WorldSize(real=20, generated=4, external=4, fitted_on=32, steps=2)


@pytest.fixture(scope="module")
def crops() -> Pixels:
    return np.stack([crop.pixels for crop in cut_crops(TRAINING, 64, seed=0)])


def test_crops_are_colour_squares_equally_many_of_every_photograph() -> None:
    crops = cut_crops(TRAINING, 20, seed=0)
    assert {crop.pixels.shape for crop in crops} == {(SIZE, SIZE, 3)}
    names = [crop.photograph for crop in crops]
    assert {names.count(name) for name in names} == {4}


def test_another_seed_cuts_other_crops() -> None:
    first, again, other = (cut_crops(TRAINING[:1], 4, seed=seed) for seed in (0, 0, 1))
    assert all((a.pixels == b.pixels).all() for a, b in zip(first, again, strict=True))
    assert not any((a.pixels == b.pixels).all() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("kind", ["transposed", "nearest", "shuffle", "bilinear"])
def test_a_generator_is_what_its_seed_says(kind: Kind, crops: Pixels) -> None:
    spec = GeneratorSpec("g", kind, seed=5, steps=3)
    first, again = generate(spec, crops, 6), generate(spec, crops, 6)
    assert first.shape == (6, SIZE, SIZE, 3)
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert not (first == generate(GeneratorSpec("g", kind, seed=6, steps=3), crops, 6)).all()


def test_a_fitted_generator_has_the_colours_of_its_crops(crops: Pixels) -> None:
    made = generate(GeneratorSpec("g", "transposed", seed=0, steps=60), crops, 64)
    assert np.abs(made.mean(axis=(0, 1, 2)) - crops.mean(axis=(0, 1, 2))).max() < 25
    unfitted = generate(GeneratorSpec("g", "transposed", seed=0, steps=1), crops, 64)
    assert unfitted.std() < made.std() / 2


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "world"
    build_world(folder, TINY)
    return folder


def test_the_world_has_the_layout_and_keeps_one_generator_external(world: Path) -> None:
    dataset = scan_dataset(world)
    assert dataset.sources("generated") == tuple(sorted(spec.name for spec in CATALOGUED))
    assert dataset.sources("generated", external=True) == (EXTERNAL.name,)
    assert len(dataset.select(kind="real", external=False)) == TINY.real
    assert all(re.search(TILE_PATTERN, item.path.name) for item in dataset.select(kind="real"))
    formats = {(read_image(item.path).file_format, read_image(item.path).mode) for item in dataset.items}
    assert formats == {("PNG", "RGB")}


def test_a_world_that_stands_is_not_built_again(world: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in world.rglob("*.png")}
    build_world(world, TINY)
    assert before == {path: path.stat().st_mtime_ns for path in world.rglob("*.png")}
