"""The door of the local page: who may come in. Other users of the machine and other sites in the browser may not. Plain ASGI.

The key is in the address, so there is no cookie that a browser would send by itself. What is handed to a browser as an
argument, where other users can read it, is a ticket: it opens the page once.
"""

import secrets
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEY_BYTES = 32
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",  # a browser would write pictures to its disk
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",  # addresses hold the key
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_READING = ("GET", "HEAD")
_TICKET_USED = (
    "This link opened the page before and opens it once. Use the address that the terminal shows. "
    "If it was not your browser that used it, stop the program: somebody else on this machine did."
)


def _draw() -> str:
    return secrets.token_urlsafe(KEY_BYTES)


@dataclass
class Keys:
    """What opens the door."""

    key: str = field(default_factory=_draw)
    ticket: str = field(default_factory=_draw)
    used: bool = False  # the ticket


class Door:
    """Lets a request through to the application, or not.

    The plan: (1) it is meant for this address, not for a name that somebody let point here; (2) no other site sent it; (3) it
    has the key, or the ticket for the first time; (4) every answer tells the browser to trust and keep nothing.
    """

    def __init__(self, app: ASGIApp, *, host: str, keys: Keys) -> None:
        """`host`: address and port, as a browser names them."""
        self.app, self._host, self._keys = app, host, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            # step 4
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._let_in(scope)(scope, receive, send_with_headers)

    def _let_in(self, scope: Scope) -> ASGIApp:
        headers, method = Headers(scope=scope), scope["method"]
        # step 1
        if headers.get("host") != self._host:
            return _refuse(f"expected a request to {self._host}")
        # step 2
        origin = headers.get("origin")
        if origin != f"http://{self._host}" and (origin is not None or method not in _READING):
            return _refuse("expected a request from this page")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return _refuse("expected a request from this page; type the address instead of following a link")
        # step 3
        given, slash, rest = scope["path"].removeprefix("/").partition("/")
        if _same(given, self._keys.ticket):
            return self._admit_once()
        if not slash or not _same(given, self._keys.key):
            return _refuse("expected the address that the terminal shows", 404)
        scope["path"] = f"/{rest}"
        return self.app

    def _admit_once(self) -> ASGIApp:
        if self._keys.used:
            return _refuse(_TICKET_USED)
        self._keys.used = True
        return RedirectResponse(f"/{self._keys.key}/", status_code=303)


def _same(given: str, expected: str) -> bool:
    """Compare in a time that tells nothing."""
    return secrets.compare_digest(given.encode(), expected.encode())


def _refuse(reason: str, status: int = 403) -> ASGIApp:
    return PlainTextResponse(reason + "\n", status_code=status)
