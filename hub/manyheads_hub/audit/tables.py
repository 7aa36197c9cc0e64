"""The tables of the audit log. The database itself refuses to change or remove a line (triggers of migration 0004)."""

from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from manyheads_hub.tables import Table
from manyheads_shared.digest import Digest


class AuditRow(Table):
    """One line: who did what to what, and the digest of the line before."""

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time: Mapped[str]
    actor: Mapped[str]
    token: Mapped[int | None]
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str | None]
    details: Mapped[dict[str, Any]]
    previous: Mapped[Digest] = mapped_column(String(71))
    digest: Mapped[Digest] = mapped_column(String(71))


class AuditHeadRow(Table):
    """The newest line. One row: whoever appends locks it, so that lines come one after the other on every database."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int]
    digest: Mapped[Digest] = mapped_column(String(71))
