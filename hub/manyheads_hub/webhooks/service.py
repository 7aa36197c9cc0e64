"""Subscriptions: added, listed, removed; and messages sent again by hand."""

import secrets
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from manyheads_hub.audit.log import Actor, record
from manyheads_hub.errors import ConflictError, InvalidRequestError, NotFoundError
from manyheads_hub.webhooks import outbox
from manyheads_hub.webhooks.guard import check_url
from manyheads_hub.webhooks.tables import DeliveryRow, WebhookRow
from manyheads_shared import clock

SECRET_PREFIX = "mhw_"  # noqa: S105 - lets secret scanners find one


def add(session: Session, actor: Actor, url: str, events: Sequence[str], *, allow_private: bool = False) -> WebhookRow:
    """Subscribe an address to events; the row's secret is to be shown this once.

    Args:
        allow_private: the address may lead into the hub's own network.

    Raises:
        InvalidRequestError: no such address or event.
    """
    check_url(url)
    if unknown := sorted(set(events) - set(outbox.EVENTS)):
        raise InvalidRequestError(f"expected events among {', '.join(outbox.EVENTS)}; got {unknown[0]!r}")
    if not events:
        raise InvalidRequestError("expected at least one event")
    row = WebhookRow(
        id=secrets.token_hex(6),
        url=url,
        events=[event for event in outbox.EVENTS if event in events],
        secret=SECRET_PREFIX + secrets.token_urlsafe(32),
        allow_private=allow_private,
        created=clock.now(),
    )
    session.add(row)
    # the rest of an address often opens what lies behind it, and the log is for more readers than the subscription is
    details = {"host": urlsplit(url).hostname, "events": row.events, "allow_private": allow_private}
    record(session, actor, "webhook.added", row.id, details=details)
    return row


def remove(session: Session, actor: Actor, webhook_id: str, reason: str) -> WebhookRow:
    """End a subscription; what waits for it is not sent.

    Raises:
        NotFoundError: no such subscription, or it has ended.
    """
    row = get(session, webhook_id)
    row.removed = clock.now()
    waiting = update(DeliveryRow).where(DeliveryRow.webhook_id == webhook_id, DeliveryRow.state == "waiting")
    session.execute(waiting.values(state="dead", error="the subscription ended", finished=row.removed))
    record(session, actor, "webhook.removed", webhook_id, reason=reason)
    return row


def test(session: Session, actor: Actor, webhook_id: str) -> DeliveryRow:
    """Send a subscriber a message that tells of nothing but itself.

    Raises:
        NotFoundError: no such subscription, or it has ended.
    """
    row = get(session, webhook_id)
    return outbox.write(session, row, record(session, actor, outbox.TEST_EVENT, webhook_id))


def replay(session: Session, actor: Actor, delivery_id: str) -> DeliveryRow:
    """Send a message again, from its first attempt on.

    Raises:
        NotFoundError: no such message, or its subscription has ended.
        ConflictError: it still waits.
    """
    row = session.get(DeliveryRow, delivery_id)
    if row is None:
        raise NotFoundError(f"no message {delivery_id!r}; `manyheads-hub webhooks deliveries` lists them")
    get(session, row.webhook_id)
    if row.state == "waiting":
        raise ConflictError(f"message {delivery_id} still waits for attempt {row.attempts + 1}")
    row.state, row.attempts, row.run_after, row.finished = "waiting", 0, time.time(), None
    record(session, actor, "webhook.replayed", row.webhook_id, details={"delivery": row.id, "event": row.event})
    return row


def listed(session: Session) -> list[WebhookRow]:
    """Return every subscription that has not ended, oldest first."""
    query = select(WebhookRow).where(WebhookRow.removed.is_(None)).order_by(WebhookRow.created, WebhookRow.id)
    return list(session.scalars(query))


def deliveries(
    session: Session, webhook_id: str | None = None, *, state: str | None = None, count: int = 100
) -> list[DeliveryRow]:
    """Return the newest messages, newest first, of one subscription or all, in one state or any."""
    query = select(DeliveryRow).order_by(DeliveryRow.created.desc(), DeliveryRow.id).limit(count)
    if webhook_id is not None:
        query = query.where(DeliveryRow.webhook_id == webhook_id)
    if state is not None:
        query = query.where(DeliveryRow.state == state)
    return list(session.scalars(query))


def get(session: Session, webhook_id: str) -> WebhookRow:
    """Return a subscription.

    Raises:
        NotFoundError: there is none, or it has ended.
    """
    row = session.get(WebhookRow, webhook_id)
    if row is None or row.removed is not None:
        raise NotFoundError(f"no subscription {webhook_id!r}; `manyheads-hub webhooks list` names every one")
    return row
