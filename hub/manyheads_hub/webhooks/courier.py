"""Sending what waits in the outbox: signed, at least once, with longer and longer pauses, until it is delivered or dead.

A message is taken by moving its next attempt past the time that sending may last, in a transaction of its own; a courier that
is killed loses it for that long. The receiver may see one twice, and knows it by `Manyheads-Delivery`.
Specification: docs/formats/webhook.md.
"""

import asyncio
import hashlib
import hmac
import logging
import ssl
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from sqlalchemy import select

from manyheads_hub.hub import Hub
from manyheads_hub.webhooks.guard import resolve
from manyheads_hub.webhooks.tables import DeliveryRow, WebhookRow
from manyheads_shared import __version__, clock

ID_HEADER = "Manyheads-Delivery"
EVENT_HEADER = "Manyheads-Event"
SIGNATURE_HEADER = "Manyheads-Signature"  # t=SECONDS,v1=HEX

RETRY_SECONDS = (10.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0)  # after each failure; then the message is dead: eight hours in all
SENDING_SECONDS = 10.0  # for one attempt, connecting included
TAKEN_SECONDS = 60.0  # how long a killed courier's message waits for the next
POLL_SECONDS = 2.0
MAX_ERROR_CHARACTERS = 300

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parcel:
    """One attempt at one message."""

    delivery: str
    event: str
    body: bytes
    url: str
    secret: str
    allow_private: bool
    attempt: int  # 1, 2, 3 …


class Courier:
    """Sends one hub's messages, one after the other.

    Args:
        authorities: whose certificates are believed; those of certifi unless given.
    """

    def __init__(self, hub: Hub, *, stop: threading.Event | None = None, authorities: ssl.SSLContext | None = None) -> None:
        self._hub, self._stop = hub, stop or threading.Event()
        self._authorities = authorities or httpx.create_ssl_context(trust_env=False)

    def run(self) -> None:
        """Send until asked to stop."""
        while not self._stop.is_set():
            try:
                busy = self.send_next()
            except Exception:  # the database may be locked or the disk full: what waits goes on waiting
                logger.exception("the courier could not reach its outbox; it goes on trying")
                busy = False
            if not busy:
                self._stop.wait(POLL_SECONDS)

    def send_next(self) -> bool:
        """Send the message that has waited longest; False when none is due."""
        parcel = self._take()
        if parcel is None:
            return False
        status, error = send(parcel, self._authorities)
        self._settle(parcel, status, error)
        return True

    def _take(self) -> Parcel | None:
        now = time.time()
        due = (
            select(DeliveryRow, WebhookRow)
            .join(WebhookRow, WebhookRow.id == DeliveryRow.webhook_id)
            .where(DeliveryRow.state == "waiting", DeliveryRow.run_after <= now)
            .order_by(DeliveryRow.run_after)
            .limit(1)
            .with_for_update(skip_locked=True, of=DeliveryRow)
        )
        with self._hub.database.write() as session:
            found = session.execute(due).one_or_none()
            if found is None:
                return None
            row, hook = found
            row.attempts, row.run_after = row.attempts + 1, now + TAKEN_SECONDS
            return Parcel(row.id, row.event, row.body.encode(), hook.url, hook.secret, hook.allow_private, row.attempts)

    def _settle(self, parcel: Parcel, status: int | None, error: str | None) -> None:
        with self._hub.database.write() as session:
            row = session.get_one(DeliveryRow, parcel.delivery)
            if row.state != "waiting" or row.attempts != parcel.attempt:
                return  # the subscription ended, or another courier has taken over
            row.status, row.error = status, error
            if error is None:
                row.state, row.finished = "delivered", clock.now()
            elif parcel.attempt > len(RETRY_SECONDS):
                row.state, row.finished = "dead", clock.now()
            else:
                row.run_after = time.time() + RETRY_SECONDS[parcel.attempt - 1]
        logger.info("message %s, attempt %d: %s", parcel.delivery, parcel.attempt, error or f"delivered ({status})")


def send(parcel: Parcel, authorities: ssl.SSLContext) -> tuple[int | None, str | None]:
    """Send one message; return the answer's status, and what went wrong."""
    try:
        address = resolve(parcel.url, allow_private=parcel.allow_private)
        status = asyncio.run(_post(parcel, address, authorities))
    except TimeoutError:
        return None, f"expected an answer within {SENDING_SECONDS:.0f} s, none was whole by then"
    except Exception as error:  # whatever the way or the answer raises is one failed attempt, not the courier's end
        return None, f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS]
    if 200 <= status < 300:
        return status, None
    hint = "; redirects are not followed" if 300 <= status < 400 else ""
    return status, f"expected an answer of 200 to 299, got {status}{hint}"


def sign(secret: str, moment: int, body: bytes) -> str:
    """Return the signature header of a message: HMAC-SHA256 of `SECONDS.BODY`, so that an old message cannot be sent as new."""
    code = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={code}"


async def _post(parcel: Parcel, address: str, authorities: ssl.SSLContext) -> int:
    """Post to the address that was looked at, under the name that it was asked for by: that is what a certificate must say."""
    parts = urlsplit(parcel.url)
    assert parts.hostname is not None  # guard.check_url
    host = f"[{address}]" if ":" in address else address
    url = parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host, fragment="").geturl()
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": f"manyheads-hub/{__version__}",
        ID_HEADER: parcel.delivery,
        EVENT_HEADER: parcel.event,
        SIGNATURE_HEADER: sign(parcel.secret, int(time.time()), parcel.body),
    }
    extensions = {"sni_hostname": parts.hostname}
    async with (
        asyncio.timeout(SENDING_SECONDS),  # a receiver that drips its answer would else hold up everyone's messages
        httpx.AsyncClient(timeout=SENDING_SECONDS, verify=authorities, trust_env=False, follow_redirects=False) as client,
        client.stream("POST", url, content=parcel.body, headers=headers, extensions=extensions) as response,
    ):
        return response.status_code  # the answer's body is nobody's business
