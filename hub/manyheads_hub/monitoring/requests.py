"""Every request gets an id, one line in the log, and its place in the metrics. Plain ASGI."""

import logging
import re
import secrets
import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manyheads_hub.monitoring.logs import request_id

HEADER = "X-Request-ID"
ELSEWHERE = "other"  # requests for nothing we have: their paths are anything, and must not become labels
QUIET = frozenset({"health", "ready"})  # probes come every few seconds
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")  # an id that a proxy in front gave
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

logger = logging.getLogger(__name__)


class RequestMeter:
    """Counts requests and their seconds, by method, endpoint and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._total = Counter(
            "manyheads_hub_requests", "Requests answered.", ("method", "endpoint", "status"), registry=registry
        )
        self._seconds = Histogram(
            "manyheads_hub_request_seconds",
            "Seconds to the last byte.",
            ("method", "endpoint"),
            buckets=_SECONDS,
            registry=registry,
        )

    def observe(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._total.labels(method, endpoint, str(status)).inc()
        self._seconds.labels(method, endpoint).observe(seconds)


class ObservedRequests:
    """Gives requests an id, logs them and counts them; the outermost layer of the app."""

    def __init__(self, app: ASGIApp, *, meter: RequestMeter) -> None:
        self.app, self.meter = app, meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        own = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
        request_id.set(own)  # every request runs in a task, and so in a context, of its own
        status, began = 500, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = own
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        endpoint: str = getattr(scope.get("route"), "name", ELSEWHERE)  # the app put the route there
        method = scope["method"] if endpoint != ELSEWHERE else ELSEWHERE
        self.meter.observe(method, endpoint, status, seconds)
        if endpoint not in QUIET:
            fields = {
                "method": scope["method"],
                "path": _printable(scope["path"][:200]),
                "status": status,
                "ms": round(1000 * seconds, 1),
            }
            logger.info("%(method)s %(path)s %(status)d %(ms).1f ms", fields, extra=fields)


def _printable(path: str) -> str:
    """Return a path on one line: what was percent-encoded may be a line break, and a line of the log somebody else's."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in path)
