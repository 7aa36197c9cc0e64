"""The comparison of upgrades: who holds which images, and what its page says."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.upgrades import page
from benchmarks.upgrades.roles import NEW, OLD, PRIVATE, PUBLIC, SOURCES, read_images

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def test_one_latent_lies_on_one_side_and_nobodys_images_are_shared(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for source in SOURCES:
        folder = tmp_path / "data" / ("real" if source == "celeba" else "generated") / source
        folder.mkdir(parents=True)
        for i in range(60):
            name = f"epoch{i % 2}-latent{i // 2:03d}.png" if "litalien" in source else f"{i:03d}.png"
            Image.fromarray(draw.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(folder / name)
    (tmp_path / "work").mkdir()
    images = read_images(tmp_path / "data", tmp_path / "work")

    assert sum(len(side.pixels) for side in images.values()) == 60 * len(SOURCES)
    assert all((side.sources == "dcgan-litalien").sum() % 2 == 0 for side in images.values())  # both epochs of a latent
    assert not set(PRIVATE) & {*PUBLIC, *NEW}
    assert read_images(tmp_path / "data", tmp_path / "work")["test"].pixels.shape == images["test"].pixels.shape
    assert set(OLD) == {*PRIVATE, *PUBLIC}


def test_the_page_in_the_repository_is_that_of_its_figures() -> None:
    value = json.loads((RESULTS / "upgrades.json").read_bytes())

    assert page.render(value) == (RESULTS / "upgrades.md").read_text()
