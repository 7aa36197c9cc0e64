"""A limit on the body of every request but uploads, which have their own. Plain ASGI."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manyheads_hub.errors import TooLargeError, code_of
from manyheads_hub.problems import problem_response


class BodyLimit:
    """Refuses a body over the limit: by its declared length before it is read, or while it is when no length is declared.

    Uploads have their own limit, checked after the token (`uploads.service`); they are passed through.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, uploads_prefix: str) -> None:
        self.app, self.max_bytes, self.uploads_prefix = app, max_bytes, uploads_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or (scope["method"] == "PATCH" and scope["path"].startswith(self.uploads_prefix)):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared = headers.get("content-length")
        if declared is not None:  # the server sees to it that no more comes
            body = int(declared) if declared.isdecimal() else 0
            await (self._refuse if body > self.max_bytes else self.app)(scope, receive, send)
        elif "transfer-encoding" in headers:
            await self._read_first(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _read_first(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a body of unknown length as far as the limit, and only then call the app."""
        messages: list[Message] = []
        seen, more = 0, True
        while more:
            message = await receive()
            messages.append(message)
            seen += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
            if seen > self.max_bytes:
                await self._refuse(scope, receive, send)
                return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, replay, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"expected a request of at most {self.max_bytes} bytes; files go to {self.uploads_prefix}DIGEST"
        await problem_response(TooLargeError.status_code, code_of(TooLargeError(detail)), detail)(scope, receive, send)
