from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support import grounds

settings.register_profile("manyheads", deadline=None, max_examples=60)  # a busy machine is no failure
settings.load_profile("manyheads")


@pytest.fixture(scope="session", autouse=True)
def _stop_servers() -> Iterator[None]:
    yield
    grounds.servers.close()


@pytest.fixture
def ground(request: pytest.FixtureRequest) -> grounds.Ground:
    """Where the test's hub lies: embedded, unless the test is parametrised with other grounds."""
    return grounds.new_ground(getattr(request, "param", grounds.EMBEDDED))
