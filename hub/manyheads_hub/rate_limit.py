"""Limits on how many requests a minute one address and one token may make. Plain ASGI, around `limits`.

Counting is in this process unless MANYHEADS_RATE_STORAGE names a store that replicas share: without one, each replica allows
the whole of a limit. A store that fails stops nobody: the hub logs it and goes on. Windows are fixed, so that a burst over
the turn of one can be twice the limit. Behind a proxy the address is the one that uvicorn takes from a proxy it trusts.
"""

import ipaddress
import logging
import math
import os
import time
from collections.abc import Mapping

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from manyheads_hub.auth import digest_secret
from manyheads_hub.errors import RateLimitError, code_of
from manyheads_hub.problems import answer_problem
from manyheads_hub.settings import Limits
from manyheads_shared.api import API_PREFIX
from manyheads_shared.errors import UsageError

STORAGE_VARIABLE = "MANYHEADS_RATE_STORAGE"
IN_PROCESS = "memory://"
TRANSFERS = (f"{API_PREFIX}/uploads/", f"{API_PREFIX}/objects/", "/tuf/", "/static/", "/pictures/")
SIGN_INS = ("/sign-in", f"{API_PREFIX}/enrolment")
_IPV6_PREFIX = 64  # one subscriber has that many addresses

logger = logging.getLogger(__name__)


def read_storage(environment: Mapping[str, str] = os.environ) -> Storage:
    """Return where requests are counted.

    Raises:
        UsageError: the address of the store is none that is known, or its driver is not installed.
    """
    address = environment.get(STORAGE_VARIABLE, IN_PROCESS)
    try:
        storage = storage_from_string(f"async+{address.removeprefix('async+')}")
    except (ConfigurationError, ImportError, ValueError) as error:
        scheme = address.partition("://")[0]
        raise UsageError(
            f"{STORAGE_VARIABLE}: expected memory:// or redis://HOST:PORT, got {scheme}://…: unknown, or without its driver"
        ) from error
    assert isinstance(storage, Storage)  # "async+"
    return storage


class RateLimit:
    """Refuses with 429 and `Retry-After` what comes too often."""

    def __init__(self, app: ASGIApp, *, storage: Storage, limits: Limits) -> None:
        self.app, self._limiter = app, FixedWindowRateLimiter(storage)
        self._requests = RateLimitItemPerMinute(limits.requests_per_minute, namespace="requests")
        self._transfers = RateLimitItemPerMinute(limits.transfers_per_minute, namespace="transfers")
        self._sign_ins = RateLimitItemPerMinute(limits.sign_ins_per_minute, namespace="sign-ins")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and (error := await self._count(scope)) is not None:
            headers = {"Retry-After": str(error.retry_after), "Cache-Control": "no-store"}
            refused = answer_problem(Request(scope), error.status_code, code_of(error), str(error), headers)
            await refused(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _count(self, scope: Scope) -> RateLimitError | None:
        address, credential = address_of(scope), _credential_of(scope)
        try:
            for item in self._items(scope):
                for identity in (address, *([credential] if credential else [])):
                    if not await self._limiter.hit(item, identity):
                        return await self._refuse(item, identity)
        except Exception:  # whatever the store's driver raises: the hub is worth more than the count
            logger.exception("requests cannot be counted")
        return None

    def _items(self, scope: Scope) -> list[RateLimitItem]:
        path = scope["path"]
        if path.startswith(TRANSFERS):
            return [self._transfers]
        if path in SIGN_INS and scope["method"] == "POST":
            return [self._requests, self._sign_ins]
        return [self._requests]

    async def _refuse(self, item: RateLimitItem, identity: str) -> RateLimitError:
        stats = await self._limiter.get_window_stats(item, identity)
        seconds = max(1, math.ceil(stats.reset_time - time.time()))
        return RateLimitError(
            f"expected at most {item.amount} {item.namespace} a minute, more came; try again in {seconds} s",
            retry_after=seconds,
        )


def address_of(scope: Scope) -> str:
    """Return whom to count a request against: an address, or the network that one IPv6 subscriber has."""
    client = scope.get("client")
    try:
        address = ipaddress.ip_address(client[0] if client else "")
    except ValueError:
        return "unknown"
    if address.version == 6 and address.ipv4_mapped is not None:  # what a socket of both versions calls an IPv4 address
        address = address.ipv4_mapped
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))


def _credential_of(scope: Scope) -> str | None:
    """Return what stands for a token or a session; whether it is good is not known yet."""
    headers = Headers(scope=scope)
    secret = headers.get("authorization") or headers.get("cookie")
    return digest_secret(secret) if secret else None
