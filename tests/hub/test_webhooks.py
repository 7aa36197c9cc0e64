"""Webhooks: written with the change, signed, sent until they arrive or are given up, and never into the hub's own network."""

import hashlib
import hmac
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import update

from manyheads_hub.audit import log
from manyheads_hub.audit.chain import AuditEntry
from manyheads_hub.errors import ConflictError, InvalidRequestError, NotFoundError
from manyheads_hub.hub import Hub
from manyheads_hub.webhooks import courier, service
from manyheads_hub.webhooks.courier import EVENT_HEADER, ID_HEADER, RETRY_SECONDS, SIGNATURE_HEADER, Courier
from manyheads_hub.webhooks.guard import ForbiddenAddressError, resolve
from manyheads_hub.webhooks.tables import DeliveryRow, WebhookRow
from manyheads_shared.canonical import to_canonical
from tests.support.certificates import write_certificate
from tests.support.live_hub import MAINTAINER, wait_until


@dataclass
class Receiver:
    """A subscriber that really listens; it answers what it is told to."""

    url: str
    answers: list[int] = field(default_factory=list)  # statuses to come; 204 after those
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listening.got.append((dict(self.headers), body))
            status = listening.answers.pop(0) if listening.answers else 204
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", listening.url)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    where = "https://localhost" if tls else "http://127.0.0.1"
    listening = Receiver(f"{where}:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield listening
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def subscribe(hub: Hub, url: str, *events: str, allow_private: bool = True) -> WebhookRow:
    with hub.database.write() as session:
        return service.add(session, MAINTAINER, url, events or ("head.yanked",), allow_private=allow_private)


def yanked(hub: Hub) -> AuditEntry:
    with hub.database.write() as session:
        return log.record(session, MAINTAINER, "head.yanked", "alpha@1", reason="claims cats")


def messages(hub: Hub) -> list[DeliveryRow]:
    with hub.database.read() as session:
        return service.deliveries(session)


def let_time_pass(hub: Hub) -> None:
    with hub.database.write() as session:
        session.execute(update(DeliveryRow).values(run_after=0.0))


def test_a_subscriber_gets_the_line_with_its_digest_signed(hub: Hub, receiver: Receiver) -> None:
    webhook, entry = subscribe(hub, receiver.url), yanked(hub)
    assert Courier(hub).send_next()
    ((headers, body),) = receiver.got
    moment, code = (part.partition("=")[2] for part in headers[SIGNATURE_HEADER].split(","))
    assert code == hmac.new(webhook.secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    message = json.loads(body)
    assert (headers[EVENT_HEADER], message["event"], message["entry_digest"]) == ("head.yanked", "head.yanked", entry.digest)
    assert AuditEntry.from_bytes(to_canonical(message["entry"])) == entry
    assert [(row.id, row.state, row.status) for row in messages(hub)] == [(headers[ID_HEADER], "delivered", 204)]
    assert not Courier(hub).send_next()


def test_what_nobody_subscribed_to_and_what_was_rolled_back_is_not_sent(hub: Hub, receiver: Receiver) -> None:
    subscribe(hub, receiver.url, "bundle.published")
    yanked(hub)
    subscribe(hub, receiver.url)

    def yank_and_fail() -> None:
        with hub.database.write() as session:
            log.record(session, MAINTAINER, "head.yanked", "alpha@1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        yank_and_fail()
    assert messages(hub) == []


def test_a_failed_message_waits_longer_and_longer_and_is_delivered_in_the_end(hub: Hub, receiver: Receiver) -> None:
    subscribe(hub, receiver.url)
    yanked(hub)
    receiver.answers = [500, 302]
    courier = Courier(hub)
    assert courier.send_next()
    assert not courier.send_next()  # not yet
    let_time_pass(hub)
    assert courier.send_next()
    assert messages(hub)[0].error == "expected an answer of 200 to 299, got 302; redirects are not followed"
    let_time_pass(hub)
    assert courier.send_next()
    (row,) = messages(hub)
    assert (row.state, row.attempts, len(receiver.got)) == ("delivered", 3, 3)
    assert len({headers[ID_HEADER] for headers, _ in receiver.got}) == 1


def test_a_message_is_given_up_after_the_last_pause_and_can_be_sent_again(hub: Hub, receiver: Receiver) -> None:
    subscribe(hub, receiver.url)
    yanked(hub)
    receiver.answers = [503] * (1 + len(RETRY_SECONDS))
    while Courier(hub).send_next():
        let_time_pass(hub)
    (row,) = messages(hub)
    assert (row.state, row.attempts, row.status) == ("dead", 7, 503)
    with hub.database.write() as session:
        service.replay(session, MAINTAINER, row.id)
    assert Courier(hub).send_next()
    assert messages(hub)[0].state == "delivered"


def test_a_subscriber_that_does_not_answer_is_an_error_not_the_end(hub: Hub) -> None:
    with receiving() as gone:
        pass
    subscribe(hub, gone.url)
    yanked(hub)
    assert Courier(hub).send_next()
    assert str(messages(hub)[0].error).startswith("ConnectError")


def test_a_killed_couriers_message_is_sent_by_the_next(hub: Hub, receiver: Receiver) -> None:
    subscribe(hub, receiver.url)
    yanked(hub)
    Courier(hub)._take()  # killed here
    assert not Courier(hub).send_next()
    let_time_pass(hub)
    assert Courier(hub).send_next()
    assert (messages(hub)[0].state, messages(hub)[0].attempts) == ("delivered", 2)


def test_a_running_courier_sends_by_itself_and_stops_when_asked(hub: Hub, receiver: Receiver) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=Courier(hub, stop=stop).run)
    thread.start()
    subscribe(hub, receiver.url)
    yanked(hub)
    wait_until(lambda: receiver.got, seconds=30)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def send_over_tls(hub: Hub, folder: Path, name: str, *, believed: bool = True) -> tuple[int, DeliveryRow]:
    """Send a message to https://localhost under a certificate for a name; return how many arrived, and what became of it."""
    certificate, key = write_certificate(folder, name)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with receiving(tls) as receiver:
        subscribe(hub, receiver.url)
        yanked(hub)
        Courier(hub, authorities=ssl.create_default_context(cafile=certificate) if believed else None).send_next()
    (message,) = messages(hub)
    return len(receiver.got), message


def test_over_tls_the_certificate_must_be_of_the_name_that_was_subscribed(hub: Hub, tmp_path: Path) -> None:
    arrived, message = send_over_tls(hub, tmp_path, "localhost")
    assert (arrived, message.state) == (1, "delivered")


@pytest.mark.parametrize(("name", "believed"), [("lab.example", True), ("localhost", False)])
def test_a_certificate_of_another_name_or_of_nobody_known_is_refused(
    hub: Hub, tmp_path: Path, name: str, *, believed: bool
) -> None:
    arrived, message = send_over_tls(hub, tmp_path, name, believed=believed)
    assert (arrived, message.state, "CERTIFICATE_VERIFY_FAILED" in str(message.error)) == (0, "waiting", True)


def test_an_ended_subscription_is_sent_nothing_that_waited(hub: Hub, receiver: Receiver) -> None:
    webhook = subscribe(hub, receiver.url)
    yanked(hub)
    with hub.database.write() as session:
        service.remove(session, MAINTAINER, webhook.id, "moved")
    yanked(hub)
    assert not Courier(hub).send_next()
    assert [row.state for row in messages(hub)] == ["dead"]
    with hub.database.write() as session, pytest.raises(NotFoundError):
        service.test(session, MAINTAINER, webhook.id)


def test_what_waits_is_not_replayed(hub: Hub, receiver: Receiver) -> None:
    webhook = subscribe(hub, receiver.url)
    with hub.database.write() as session:
        row = service.test(session, MAINTAINER, webhook.id)
    with hub.database.write() as session, pytest.raises(ConflictError, match="still waits"):
        service.replay(session, MAINTAINER, row.id)


def test_whatever_waited_for_a_subscription_that_ended_is_not_sent(hub: Hub, receiver: Receiver) -> None:
    row = subscribe(hub, receiver.url)
    for _ in range(101):  # more than a listing shows
        yanked(hub)
    with hub.database.write() as session:
        service.remove(session, MAINTAINER, row.id, "moved")
    assert not Courier(hub).send_next()
    assert {message.state for message in messages(hub)} == {"dead"}


def test_a_receiver_that_drips_its_answer_holds_nobody_up(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "SENDING_SECONDS", 0.5)
    with dripping() as url:
        subscribe(hub, url)
        yanked(hub)
        began = time.monotonic()
        Courier(hub).send_next()
    assert time.monotonic() - began < 5
    assert str(messages(hub)[0].error).startswith("expected an answer within")


@contextmanager
def dripping() -> Iterator[str]:
    """A subscriber whose answer never ends, a byte at a time; no silence is long enough to be one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
                while not stop.wait(0.05):
                    self.wfile.write(b".")

        def log_message(self, *_: object) -> None:
            pass

    stop, server = threading.Event(), HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        stop.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_secret_in_an_address_is_in_no_log(hub: Hub, receiver: Receiver, capfd: pytest.CaptureFixture[str]) -> None:
    script = (
        "import logging, sys; from pathlib import Path; from manyheads_hub.hub import open_hub;"
        "from manyheads_hub.monitoring.logs import log_to_stderr; from manyheads_hub.webhooks.courier import Courier;"
        "log_to_stderr('text')\nwith open_hub(Path(sys.argv[1])) as hub: Courier(hub).send_next()"
    )
    row = subscribe(hub, f"{receiver.url}?key=s3cret")
    yanked(hub)
    subprocess.run([sys.executable, "-c", script, str(hub.settings.folder)], check=True)
    said = capfd.readouterr().err
    assert len(receiver.got) == 1
    assert ("delivered (204)" in said, "s3cret" in said) == (True, False)
    with hub.database.read() as session:
        added = log.newest(session, 1, subject=row.id)[0]
    assert (added.action, added.details["host"], "s3cret" in str(added)) == ("webhook.added", "127.0.0.1", False)


PRIVATE = (
    "http://127.0.0.1/",
    "http://localhost:8000/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[2002:a00:1::]/",  # 10.0.0.1 by 6to4
    "http://[64:ff9b::a00:1]/",  # by NAT64
    "http://[64:ff9b:1::a00:1]/",  # by a network's own NAT64
    "http://[::7f00:1]/",  # 127.0.0.1 as IPv6 once had it
    "http://[fec0::1]/",
    "http://10.1.2.3/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://2130706433/",  # 127.0.0.1 as one number
    "http://224.0.0.1/",
)


@pytest.mark.parametrize("url", PRIVATE)
def test_an_address_that_is_not_public_is_not_called(url: str) -> None:
    with pytest.raises(ForbiddenAddressError, match="no public address"):
        resolve(url, allow_private=False)


def test_a_public_address_is_called_by_the_number_that_was_looked_at() -> None:
    assert resolve("https://93.184.215.14/hook", allow_private=False) == "93.184.215.14"


def test_a_private_subscriber_needs_leave(hub: Hub, receiver: Receiver) -> None:
    subscribe(hub, receiver.url, allow_private=False)
    yanked(hub)
    Courier(hub).send_next()
    assert receiver.got == []
    assert str(messages(hub)[0].error).startswith("ForbiddenAddressError")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://lab.example/",
        "lab.example",
        "http://",
        "https://ada:secret@lab.example/",
        "http://lab.example:99999/",
        "x" * 3000,
    ],
)
def test_what_is_no_webhooks_address_is_refused(hub: Hub, url: str) -> None:
    with pytest.raises(InvalidRequestError):
        subscribe(hub, url)


def test_an_event_that_is_none_is_refused(hub: Hub, receiver: Receiver) -> None:
    with pytest.raises(InvalidRequestError, match=r"expected events among .*got 'head\.eaten'"):
        subscribe(hub, receiver.url, "head.eaten")
