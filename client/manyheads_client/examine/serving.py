"""The local page on a socket of loopback, until the keyboard stops it."""

import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from manyheads_client.examine.app import create_app
from manyheads_client.examine.door import Door, Keys
from manyheads_client.examine.session import Session
from manyheads_shared.errors import UsageError

LOOPBACK = "127.0.0.1"  # not `localhost`: on some machines that is also an address where somebody else may listen
BACKLOG = 64
GRACE_SECONDS = 2  # for requests under way when the keyboard stops the server


@dataclass(frozen=True)
class Address:
    """Where the page is."""

    lasting: str  # for the person at the terminal
    once: str  # for a browser's command line, which other users can read


def serve_page(session: Session, *, port: int, on_ready: Callable[[Address], None]) -> None:
    """Serve the page of a sitting until SIGINT or SIGTERM.

    Args:
        port: 0: a free one.
        on_ready: called once connections are taken.

    Raises:
        UsageError: the port is taken.
    """
    with listen(port) as listening, _ending_in_order():
        server, address = build_server(session, listening)
        on_ready(address)
        server.run(sockets=[listening])


def build_server(session: Session, listening: socket.socket) -> tuple[uvicorn.Server, Address]:
    """Return a server for a socket that listens, and the address under which it lets people in."""
    host, keys = f"{LOOPBACK}:{listening.getsockname()[1]}", Keys()
    door = Door(create_app(session), host=host, keys=keys)
    config = uvicorn.Config(  # no access log: addresses hold the key
        door,
        log_level="error",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return uvicorn.Server(config), Address(f"http://{host}/{keys.key}/", f"http://{host}/{keys.ticket}")


@contextmanager
def listen(port: int) -> Iterator[socket.socket]:
    """Listen on loopback.

    Raises:
        UsageError: the port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((LOOPBACK, port))
        except OSError as error:
            raise UsageError(f"cannot listen on {LOOPBACK} port {port}: {error.strerror}; choose another --port") from error
        listening.listen(BACKLOG)
        yield listening


def open_browser(address: str) -> None:
    """Open the person's browser, without waiting for it; where there is none, nothing happens."""
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """The server answers both signals by stopping, then raises them again: here they have done their work."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
