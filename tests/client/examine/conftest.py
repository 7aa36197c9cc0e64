import threading
from collections.abc import Iterator

import httpx
import pytest

from manyheads_client.bundle import Bundle
from manyheads_client.examine.serving import Address, build_server, listen
from manyheads_client.examine.session import Session


@pytest.fixture
def session(bundle: Bundle) -> Iterator[Session]:
    with Session(bundle, device="cpu") as session:
        yield session


@pytest.fixture
def address(session: Session) -> Iterator[Address]:
    """A page that is being served."""
    with listen(0) as listening:
        server, address = build_server(session, listening)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield address
        server.should_exit = True
        thread.join()


@pytest.fixture
def client(address: Address) -> Iterator[httpx.Client]:
    """The examiner's browser, as far as HTTP goes."""
    origin = address.lasting.rsplit("/", 2)[0]
    with httpx.Client(base_url=address.lasting, headers={"Origin": origin}, timeout=60, trust_env=False) as client:
        yield client
