"""The web application: the slices' endpoints under /v1, the TUF repository, the pages; errors as problem documents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import CapacityLimiter
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry

from manyheads_hub.accounts import routes as accounts
from manyheads_hub.audit import routes as audit
from manyheads_hub.body_limit import BodyLimit
from manyheads_hub.bundles import routes as bundles
from manyheads_hub.bundles import service as bundles_service
from manyheads_hub.catalogue import routes as catalogue
from manyheads_hub.contributors import routes as contributors
from manyheads_hub.deps import HubDep, SessionDep
from manyheads_hub.hub import build_hub
from manyheads_hub.monitoring import probes
from manyheads_hub.monitoring.requests import ObservedRequests, RequestMeter
from manyheads_hub.pages import desk
from manyheads_hub.pages import routes as pages
from manyheads_hub.pages import upgrades as upgrade_pages
from manyheads_hub.primaries import routes as primaries
from manyheads_hub.problems import MEDIA_TYPE, add_handlers
from manyheads_hub.rate_limit import RateLimit, read_storage
from manyheads_hub.security import SecurityHeaders
from manyheads_hub.settings import Settings
from manyheads_hub.submissions import routes as submissions
from manyheads_hub.upgrades import routes as upgrades
from manyheads_hub.uploads import routes as uploads
from manyheads_hub.webhooks import routes as webhooks
from manyheads_shared import __version__
from manyheads_shared.api import API_PREFIX, Health, Problem

PROBLEMS: dict[int | str, dict[str, Any]] = {"default": {"model": Problem, "description": "problem document (RFC 9457)"}}
DOOR_WIDTH = 2  # offers checked at a time: each decodes up to 2,000 images, and the rest of the API must go on
SOFTWARE = f"manyheads {__version__}"

_router = APIRouter(prefix=API_PREFIX)


def create_app(settings: Settings) -> FastAPI:
    """Build the application for a hub. Nothing is opened before the first request."""
    hub = build_hub(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.door = CapacityLimiter(DOOR_WIDTH)
        yield
        hub.close()

    app = _Hub(
        title="manyheads hub",
        version=__version__,
        summary="Publishes the primary, takes in heads, evaluates them, signs bundles.",
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=None,  # the bundled viewers load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
    )
    app.state.hub = hub
    app.add_middleware(BodyLimit, max_bytes=settings.limits.request_bytes, uploads_prefix=f"{API_PREFIX}/uploads/")
    app.add_middleware(RateLimit, storage=read_storage(), limits=settings.limits)
    app.add_middleware(SecurityHeaders)
    app.state.metrics = CollectorRegistry()
    app.add_middleware(ObservedRequests, meter=RequestMeter(app.state.metrics))  # the outermost
    add_handlers(app)
    app.include_router(_router, responses=PROBLEMS)
    app.include_router(bundles.tuf_router, responses=PROBLEMS)
    app.include_router(pages.router)
    app.include_router(upgrade_pages.router)
    app.include_router(probes.router)
    app.include_router(desk.router)
    return app


class _Hub(FastAPI):
    """FastAPI, describing errors by the media type they have."""

    def openapi(self) -> dict[str, Any]:
        """Return the description of the API."""
        described = super().openapi()
        for path in described["paths"].values():
            for operation in path.values():
                content = operation["responses"].get("default", {}).get("content", {})
                if "application/json" in content:
                    content[MEDIA_TYPE] = content.pop("application/json")
        return described


@_router.get("/health", tags=["health"])
def get_health(hub: HubDep, session: SessionDep) -> Health:
    """Whether the hub answers, and its newest bundle."""
    return Health(hub=hub.settings.name, software=SOFTWARE, bundle_sequence=bundles_service.latest_sequence(session))


for _slice in (primaries, upgrades, uploads, submissions, catalogue, bundles, accounts, contributors, audit, webhooks):
    _router.include_router(_slice.router)
