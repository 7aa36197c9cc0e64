"""/v1/webhooks: subscriptions, for maintainers."""

from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from manyheads_hub.deps import AdminDep, HubDep, SessionDep
from manyheads_hub.webhooks import service
from manyheads_hub.webhooks.tables import DeliveryRow, WebhookRow
from manyheads_shared.accounts import Because
from manyheads_shared.api import Message
from manyheads_shared.manifest import Time

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


class WebhookRequest(Message):
    """An address to be told of events."""

    url: str
    events: list[str] = Field(min_length=1)


class WebhookInfo(Message):
    """A subscription, without its secret."""

    id: str
    url: str
    events: list[str]
    allow_private: bool
    created: Time
    removed: Time | None


class NewWebhook(Message):
    """A new subscription, and the secret that its messages are signed with: the only time it can be read."""

    webhook: WebhookInfo
    secret: str


class DeliveryInfo(Message):
    """A message and what became of it."""

    id: str
    webhook_id: str
    event: str
    state: Literal["waiting", "delivered", "dead"]
    attempts: int
    status: int | None
    error: str | None
    created: Time
    finished: Time | None


@router.get("")
def list_webhooks(session: SessionDep, holder: AdminDep) -> list[WebhookInfo]:
    """Every subscription."""
    return [to_info(row) for row in service.listed(session)]


@router.post("", status_code=201)
def post_webhook(hub: HubDep, holder: AdminDep, request: WebhookRequest) -> NewWebhook:
    """Subscribe a public address. One inside the hub's own network is subscribed in the hub's folder."""
    with hub.database.write() as session:
        row = service.add(session, holder.actor, request.url, request.events)
        return NewWebhook(webhook=to_info(row), secret=row.secret)


@router.post("/{webhook_id}/remove")
def remove_webhook(hub: HubDep, holder: AdminDep, webhook_id: str, request: Because) -> WebhookInfo:
    """End a subscription; what waits for it is not sent."""
    with hub.database.write() as session:
        return to_info(service.remove(session, holder.actor, webhook_id, request.reason))


@router.post("/{webhook_id}/test", status_code=202)
def test_webhook(hub: HubDep, holder: AdminDep, webhook_id: str) -> DeliveryInfo:
    """Send a message that tells of nothing but itself."""
    with hub.database.write() as session:
        return to_delivery_info(service.test(session, holder.actor, webhook_id))


@router.get("/{webhook_id}/deliveries")
def list_deliveries(session: SessionDep, holder: AdminDep, webhook_id: str) -> list[DeliveryInfo]:
    """The newest hundred messages of a subscription, newest first."""
    return [to_delivery_info(row) for row in service.deliveries(session, webhook_id)]


@router.post("/deliveries/{delivery_id}/replay", status_code=202)
def replay_delivery(hub: HubDep, holder: AdminDep, delivery_id: str) -> DeliveryInfo:
    """Send a message again, from its first attempt on."""
    with hub.database.write() as session:
        return to_delivery_info(service.replay(session, holder.actor, delivery_id))


def to_info(row: WebhookRow) -> WebhookInfo:
    """Return what may be told of a subscription."""
    return WebhookInfo.model_validate({name: getattr(row, name) for name in WebhookInfo.model_fields})


def to_delivery_info(row: DeliveryRow) -> DeliveryInfo:
    """Return a message as it is listed."""
    return DeliveryInfo.model_validate({name: getattr(row, name) for name in DeliveryInfo.model_fields})
