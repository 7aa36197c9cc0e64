"""Appending to the audit log, in the transaction of the change it tells of; and reading it.

Whatever changes the hub's state calls `record`. Subscribers' messages are written by the same call (`webhooks.outbox`).
"""

import getpass
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from manyheads_hub.audit.chain import AuditEntry, AuditError, Head, verify_chain
from manyheads_hub.audit.tables import AuditHeadRow, AuditRow
from manyheads_hub.tables import MAX_NUMBER
from manyheads_hub.webhooks import outbox
from manyheads_shared import clock

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class Actor:
    """Who changes something."""

    name: str
    token: int | None = None


WORKER = Actor("worker")


def folder_actor() -> Actor:
    """Return whoever runs a command in the hub's folder, by their name on this machine."""
    try:
        return Actor(f"folder:{getpass.getuser()}")
    except (KeyError, OSError):  # a container's user without a name
        return Actor("folder:unknown")


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject: str,
    *,
    reason: str | None = None,
    details: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append a line, and tell whoever subscribed to such.

    Args:
        action: noun and past participle, `head.yanked`; all are in docs/formats/audit.md.
        details: strings, numbers, booleans, None, and lists of them.
    """
    session.flush()
    newest = select(AuditHeadRow).with_for_update().execution_options(populate_existing=True)
    head = session.scalars(newest).one()
    entry = AuditEntry.new(
        sequence=head.sequence + 1,
        time=clock.now(),
        actor=actor.name,
        token=actor.token,
        action=action,
        subject=subject,
        reason=reason,
        details=details or {},
        previous=head.digest,
    )
    session.add(AuditRow(**entry.model_dump(exclude={"format"}), digest=entry.digest))
    head.sequence, head.digest = entry.sequence, entry.digest
    outbox.tell(session, entry)
    session.flush()
    return entry


def head(session: Session) -> Head:
    """Return the newest line's number and digest."""
    row = session.scalars(select(AuditHeadRow)).one()
    return Head(row.sequence, row.digest)


def entries(session: Session, *, after: int = 0) -> Iterator[AuditEntry]:
    """Yield the lines after a number, oldest first."""
    rows = select(AuditRow).where(AuditRow.sequence > min(after, MAX_NUMBER)).order_by(AuditRow.sequence)
    for row in session.scalars(rows.execution_options(yield_per=_ROWS_AT_ONCE)):
        yield to_entry(row)


def newest(session: Session, count: int, *, subject: str | None = None) -> list[AuditEntry]:
    """Return the newest lines, newest first, of one subject or all."""
    query = select(AuditRow).order_by(AuditRow.sequence.desc()).limit(count)
    if subject is not None:
        query = query.where(AuditRow.subject == subject)
    return [to_entry(row) for row in session.scalars(query)]


def verify(session: Session, *, anchors: tuple[Head, ...] = ()) -> Head:
    """Verify every line in the database, up to the one that it names as the newest.

    Raises:
        AuditError: a line was changed, removed, added or moved.
    """
    expected = head(session)
    found = verify_chain(entries(session), anchors=(expected, *anchors))
    if found != expected:
        raise AuditError(
            f"audit log: expected it to end at line {expected.sequence}, it ends at {found.sequence}: lines were added"
        )
    return found


def to_entry(row: AuditRow) -> AuditEntry:
    """Return a row as the line it is."""
    fields = {name: getattr(row, name) for name in AuditEntry.model_fields if name != "format"}
    return AuditEntry.new(**fields)
