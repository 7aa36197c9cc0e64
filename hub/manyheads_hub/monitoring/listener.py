"""Where Prometheus asks: a port of its own, so that no proxy in front of the hub has to hide a path."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, start_http_server

from manyheads_hub.hub import Hub
from manyheads_hub.monitoring.state import HubState
from manyheads_shared.errors import UsageError


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int


def read_address(text: str) -> Address:
    """Return the address that HOST:PORT names.

    Raises:
        UsageError: it names none.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--metrics: expected HOST:PORT, like 127.0.0.1:9100, got {text!r}")
    return Address(host.strip("[]"), int(port))


@contextmanager
def telling_metrics(address: Address | None, hub: Hub, registry: CollectorRegistry) -> Iterator[None]:
    """Answer Prometheus while the block runs: the registry's metrics, the hub's state, this process's memory and time.

    Raises:
        UsageError: the address is taken.
    """
    if address is None:
        yield
        return
    registry.register(HubState(hub))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    try:
        server, thread = start_http_server(address.port, address.host, registry)
    except OSError as error:
        raise UsageError(f"--metrics: cannot listen on {address.host} port {address.port}: {error.strerror}") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
