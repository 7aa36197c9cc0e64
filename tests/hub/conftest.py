"""A hub with a suite and bundle 1, open; and ada, who may submit heads for alpha and beta."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads_hub.hub import Hub, open_hub
from tests.support.grounds import Ground, move
from tests.support.live_hub import Owner, enrol, make_hub


@pytest.fixture
def hub(tmp_path: Path, ground: Ground) -> Iterator[Hub]:
    folder = make_hub(tmp_path / "hub")
    if ground != Ground(None, None):
        move(folder, ground)
    with open_hub(folder) as hub:
        yield hub


@pytest.fixture
def ada(hub: Hub) -> Owner:
    return enrol(hub)
