"""A subscriber to webhooks that fails at times: every third message is refused when it comes first."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from manyheads_hub.webhooks.courier import ID_HEADER, SIGNATURE_HEADER, sign

FAILS_EVERY = 3


class Receiver:
    """What came."""

    def __init__(self) -> None:
        self.secret = ""
        self.delivered: Counter[str] = Counter()  # messages that were taken, by id; more than once is allowed
        self.failed: set[str] = set()  # messages that were refused once
        self.forged = 0  # messages whose signature was not the hub's
        self._lock = threading.Lock()

    def take(self, name: str, signature: str, body: bytes) -> int:
        """Take a message, or not; return the status to answer."""
        with self._lock:
            moment = int(signature.partition(",")[0].removeprefix("t="))
            if signature != sign(self.secret, moment, body):
                self.forged += 1
                return 400
            if int(name, 16) % FAILS_EVERY == 0 and name not in self.failed:
                self.failed.add(name)
                return 500
            self.delivered[name] += 1
            return 204


@contextmanager
def receiving(receiver: Receiver) -> Iterator[str]:
    """Run it; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.take(self.headers[ID_HEADER], self.headers[SIGNATURE_HEADER], body))
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
