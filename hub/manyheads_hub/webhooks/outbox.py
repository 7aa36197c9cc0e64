"""The outbox: a message for every subscriber, written with the change it tells of. Sending is for `webhooks.courier`."""

import secrets
import time
from typing import ClassVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from manyheads_hub.audit.chain import AuditEntry
from manyheads_hub.webhooks.tables import DeliveryRow, WebhookRow
from manyheads_shared import clock
from manyheads_shared.document import Document
from manyheads_shared.manifest import DigestField

EVENTS = (  # actions of the audit log that anyone may subscribe to
    "submission.challenged",
    "submission.accepted",
    "submission.refused",
    "head.yanked",
    "head.quarantined",
    "head.released",
    "head.carried",
    "head.restored",
    "head.obsolete",
    "candidate.measured",
    "primary.promoted",
    "primary.restored",
    "primary.published",
    "bundle.published",
    "alias.moved",
    "key.enrolled",
    "key.rotated",
    "key.revoked",
)
TEST_EVENT = "webhook.tested"


class Event(Document):
    """A message: a line of the audit log and its digest, so that whoever keeps it can hold the hub to its log."""

    FORMAT: ClassVar[str] = "manyheads.event/1"

    id: str
    event: str
    entry_digest: DigestField
    entry: AuditEntry


def tell(session: Session, entry: AuditEntry) -> None:
    """Write a message for every subscriber of what a line of the audit log says."""
    if entry.action not in EVENTS:
        return
    for webhook in session.scalars(select(WebhookRow).where(WebhookRow.removed.is_(None))):
        if entry.action in webhook.events:
            write(session, webhook, entry)


def write(session: Session, webhook: WebhookRow, entry: AuditEntry) -> DeliveryRow:
    """Write one message."""
    message = Event.new(id=secrets.token_hex(8), event=entry.action, entry_digest=entry.digest, entry=entry)
    row = DeliveryRow(
        id=message.id,
        webhook_id=webhook.id,
        event=entry.action,
        body=message.to_bytes().decode(),
        state="waiting",
        attempts=0,
        run_after=time.time(),
        created=clock.now(),
    )
    session.add(row)
    return row


def forget_settled(session: Session, before: str) -> int:
    """Drop the messages that arrived or were given up before a time; return how many."""
    return len(session.scalars(delete(DeliveryRow).where(DeliveryRow.finished < before).returning(DeliveryRow.id)).all())
