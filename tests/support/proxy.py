"""A reverse proxy before a hub: passes GET requests on, or answers with a status of its own while the hub is away."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Proxy(ThreadingHTTPServer):
    """Listens on loopback."""

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answer_instead: int | None = None  # an HTTP status
        self.refused = 0  # requests answered so


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        if self.server.answer_instead is not None:
            self.server.refused += 1
            self._answer(self.server.answer_instead, b"<html>try again later</html>")
            return
        token = {"Authorization": self.headers["Authorization"]}
        answer = httpx.get(self.server.target + self.path, headers=token)
        self._answer(answer.status_code, answer.content)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    """Run a proxy while the block runs."""
    with Proxy(target) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
