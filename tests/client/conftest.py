from pathlib import Path

import pytest

from manyheads_client.bundle import Bundle
from manyheads_client.store import Store
from manyheads_shared.image import Pixels
from tests.support.makers import MadeBundle
from tests.support.six_states import make_six_states, pull_into, varied_images, write_images


@pytest.fixture(scope="session")
def images() -> list[Pixels]:
    return varied_images(40)


@pytest.fixture(scope="session")
def made(images: list[Pixels]) -> MadeBundle:
    """A bundle under which these images show all six states."""
    return make_six_states(images)


@pytest.fixture(scope="session")
def lab(made: MadeBundle, images: list[Pixels], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A laboratory's folder: `store` holding the bundle, `images` holding the files. Not to be changed."""
    folder = tmp_path_factory.mktemp("lab")
    pull_into(folder / "store", made)
    write_images(folder / "images", images)
    return folder


@pytest.fixture
def store(lab: Path) -> Store:
    return Store(lab / "store")


@pytest.fixture(scope="session")
def bundle(lab: Path) -> Bundle:
    return Bundle.open(lab / "store")
