"""The tables of webhooks: who wants to be told, and every message with what became of it."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from manyheads_hub.tables import Table


class WebhookRow(Table):
    """A subscription. Its secret is kept as it is: signing needs it (decision 0012)."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(primary_key=True)
    url: Mapped[str]
    events: Mapped[list[str]]
    secret: Mapped[str]
    allow_private: Mapped[bool]  # it may lead into the hub's own network
    created: Mapped[str]
    removed: Mapped[str | None]


class DeliveryRow(Table):
    """One message to one subscriber, written in the transaction of the change it tells of."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_state_run_after", "state", "run_after"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id"), index=True)
    event: Mapped[str]
    body: Mapped[str]  # the exact text that is signed and sent
    state: Mapped[str]  # waiting | delivered | dead
    attempts: Mapped[int]
    run_after: Mapped[float]  # seconds since 1970; while it is being sent: when another may try
    status: Mapped[int | None]  # of the last answer
    error: Mapped[str | None]  # of the last attempt
    created: Mapped[str]
    finished: Mapped[str | None]
