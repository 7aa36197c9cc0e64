"""The running hub: a web server, a worker, a courier, and a housekeeper that keeps signatures fresh. Stops when asked to."""

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from prometheus_client import CollectorRegistry

from manyheads_hub.app import create_app
from manyheads_hub.contributors.invitations import forget_expired
from manyheads_hub.evaluations import jobs
from manyheads_hub.evaluations.isolation import Bounds, Isolation
from manyheads_hub.evaluations.worker import Worker
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.monitoring.listener import Address, telling_metrics
from manyheads_hub.monitoring.logs import LogFormat, log_to_stderr
from manyheads_hub.uploads.service import forget_abandoned
from manyheads_hub.webhooks.courier import Courier
from manyheads_hub.webhooks.outbox import forget_settled
from manyheads_shared.clock import write_time
from manyheads_shared.errors import ManyheadsError, UsageError

HOUSEKEEPING_SECONDS = 3600.0  # the timestamp lives a day: 24 chances to renew it
GRACE_SECONDS = 10  # for requests under way when the hub is asked to stop
BACKLOG = 128
ABANDONED = timedelta(days=7)  # without a byte: an upload under way is then thrown away
UNFINISHED = timedelta(days=1)  # a file that was begun and never finished: its writer was killed
SETTLED = timedelta(days=90)  # a message that arrived or was given up, an invitation that ran out; the audit log keeps both

logger = logging.getLogger(__name__)


def serve_hub(
    folder: Path,
    *,
    host: str,
    port: int,
    with_worker: bool,
    log: LogFormat,
    metrics: Address | None,
    on_ready: Callable[[str], None],
) -> None:
    """Serve a hub until SIGTERM or SIGINT.

    Args:
        metrics: where Prometheus may ask; an address of its own, because what it tells is not for everybody.
        on_ready: called with the address once requests are answered.

    Raises:
        UsageError: no hub there, or the address is taken.
    """
    with open_hub(folder) as hub, _listen(host, port) as listening, _stopping() as stop:
        log_to_stderr(log)
        address = f"http://{host}:{listening.getsockname()[1]}"
        app = create_app(hub.settings)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=GRACE_SECONDS
        )
        threads = [threading.Thread(target=_keep_house, args=(hub, stop), name="housekeeping")]
        threads.append(threading.Thread(target=Courier(hub, stop=stop).run, name="courier"))
        if with_worker:
            threads.append(threading.Thread(target=_build_worker(hub, stop, log).run, name="worker"))
        for thread in threads:
            thread.start()
        try:
            with telling_metrics(metrics, hub, app.state.metrics):
                _Server(config, lambda: on_ready(address)).run(sockets=[listening])
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def work(folder: Path, *, once: bool, log: LogFormat, metrics: Address | None = None) -> int:
    """Do jobs until SIGTERM or SIGINT, or until none is ready; return how many were done.

    A worker opens strangers' files, and of the network it needs its database and storage alone: who serves sends the messages.
    """
    with open_hub(folder) as hub, _stopping() as stop, telling_metrics(metrics, hub, CollectorRegistry()):
        log_to_stderr(log)
        return _build_worker(hub, stop, log).run(once=once)


def _build_worker(hub: Hub, stop: threading.Event, log: LogFormat) -> Worker:
    limits = hub.settings.limits
    bounds = Bounds(limits.job_seconds, limits.job_cpu_seconds, limits.job_memory_bytes)
    return Worker(hub, stop=stop, apart=Isolation(hub.settings.folder, bounds, log, stop))


class _Server(uvicorn.Server):
    """Uvicorn, saying when it is ready."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start up, then tell."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Turn SIGTERM and SIGINT into an event, so that whatever runs ends in order and the exit code is 0."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    """Bind a socket before anything is started, so that a taken port is told at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"cannot listen on {host}: {error.strerror}") from error
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except OSError as error:
            raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}; choose another --port") from error
        listening.listen(BACKLOG)
        yield listening


def _keep_house(hub: Hub, stop: threading.Event) -> None:
    """Do every chore now, and every hour."""
    while True:
        do_chores(hub)
        if stop.wait(HOUSEKEEPING_SECONDS):
            return


def do_chores(hub: Hub) -> None:
    """Sign again what runs out; drop abandoned uploads, unfinished files and what is long settled; publish what kills held up.

    No chore waits for another to succeed. Every replica does this; what one has done, the next finds done.
    """
    for chore in (_sign_again, _drop_abandoned, _sweep, _drop_settled, _publish_again):
        try:
            chore(hub)
        except (ManyheadsError, OSError) as error:
            logger.warning("housekeeping: %s", error)
        except Exception:  # the hub goes on serving; the next hour tries again
            logger.exception("housekeeping failed")


def _sign_again(hub: Hub) -> None:
    logger.info("signed again: %s", ", ".join(hub.repository.refresh()))


def _drop_abandoned(hub: Hub) -> None:
    if forgotten := forget_abandoned(hub, datetime.now(UTC) - ABANDONED):
        logger.info("dropped %d abandoned uploads", forgotten)


def _publish_again(hub: Hub) -> None:
    """A publication that was killed too often was given up; accepted heads still wait for it."""
    with hub.database.write() as session:
        if jobs.was_exhausted(session, "publish"):
            jobs.enqueue(session, "publish")
            logger.info("the last publication was killed too often; it is queued again")


def _sweep(hub: Hub) -> None:
    for file in hub.storage.list("blobs/partial"):  # uploads under way when the hub was updated from a version before pieces
        hub.storage.delete(file.name)
    if swept := sum(hub.storage.sweep(prefix, datetime.now(UTC) - UNFINISHED) for prefix in ("blobs", "uploads")):
        logger.info("dropped %d unfinished files", swept)


def _drop_settled(hub: Hub) -> None:
    before = write_time(datetime.now(UTC) - SETTLED)
    with hub.database.write() as session:
        messages, invitations = forget_settled(session, before), forget_expired(session, before)
    if messages or invitations:
        logger.info("dropped %d old messages and %d old invitations", messages, invitations)
