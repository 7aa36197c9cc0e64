"""One tiny dataset and one run of each kind, trained once for all tests that only look at them."""

from pathlib import Path

import pytest

from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.dataset import Dataset
from tests.support import training


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return training.tiny_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def primary() -> PrimaryArtifact:
    return training.tiny_primary()


@pytest.fixture(scope="session")
def primary_run(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    return training.tiny_primary_run(tmp_path_factory.mktemp("runs") / "primary", dataset)


@pytest.fixture(scope="session")
def head_run(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset, primary: PrimaryArtifact) -> Path:
    return training.tiny_head_run(tmp_path_factory.mktemp("runs") / "head", dataset, primary)
