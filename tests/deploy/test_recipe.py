"""What everyone in the demo trains by."""

from pathlib import Path

import pytest

from deploy.demo.loop import choose_recipe
from deploy.demo.partition import Partition
from tests.support.makers import write_dataset


@pytest.fixture
def partition(tmp_path: Path) -> Partition:
    partition = Partition(tmp_path, ("alpha",))
    write_dataset(partition.public, {"real/photos": 1, "generated/alpha": 1}, size=48)
    return partition


def test_a_recipe_that_ships_takes_the_size_of_the_images(partition: Partition) -> None:
    assert choose_recipe(partition, "quick", (), None).image_size == 48
    assert choose_recipe(partition, "quick", ("image_size=64",), None).image_size == 64


def test_a_file_keeps_its_size_and_its_content_is_what_counts(partition: Partition, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("image_size = 32\nmax_epochs = 3\n")
    first = choose_recipe(partition, str(mine), (), r"latent(\d+)")
    assert (first.image_size, first.max_epochs, first.group_pattern) == (32, 3, r"latent(\d+)")
    mine.write_text("image_size = 32\nmax_epochs = 4\n")
    assert choose_recipe(partition, str(mine), (), r"latent(\d+)").digest != first.digest
