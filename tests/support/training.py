"""Small trainings for tests: eighty noise images of three sources, three epochs, seconds."""

from pathlib import Path

from manyheads_contributor.recipe import Recipe, load_recipe
from manyheads_contributor.training_run import train_head, train_primary
from manyheads_shared.artifact import PrimaryArtifact, read_primary
from manyheads_shared.dataset import Dataset, scan_dataset
from tests.support.makers import SIZE, make_primary_bytes, write_dataset

SOURCES = {
    "real/photos": 40,
    "generated/alpha": 30,
    "generated/beta": 30,
    "external/generated/gamma": 8,
    "external/real/other": 8,
}


def tiny_recipe(*overrides: str) -> Recipe:
    base = [f"image_size={SIZE}", "batch_size=8", "max_epochs=3", "head_learning_rate=0.01", "precision=float32"]
    return load_recipe("khoo2022", [*base, *overrides])


def tiny_dataset(folder: Path) -> Dataset:
    return scan_dataset(write_dataset(folder, SOURCES))


def tiny_primary_run(folder: Path, dataset: Dataset, *overrides: str) -> Path:
    train_primary(dataset, tiny_recipe(*overrides), folder, device="cpu")
    return folder


def tiny_head_run(folder: Path, dataset: Dataset, primary: PrimaryArtifact, *overrides: str) -> Path:
    train_head(dataset, "alpha", primary, tiny_recipe(*overrides), folder, device="cpu")
    return folder


def tiny_primary() -> PrimaryArtifact:
    return read_primary(make_primary_bytes())
