"""A line to a server that breaks: forwards bytes both ways and hangs up, or falls silent, in the middle."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_PIECE = 16 << 10


class WeakLine:
    """A TCP forwarder. The first `breaks` connections that carry more than `after` bytes one way are cut there.

    With `silent` they are not cut, they only carry nothing any more.
    """

    def __init__(self, target: str, *, after: int, breaks: int, silent: bool = False) -> None:
        address = urlsplit(target)
        assert address.hostname
        assert address.port
        self._target = (address.hostname, address.port)
        self.after, self.breaks = after, breaks
        self.broken = 0
        self._silent = silent
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            _hang_up(connection)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                carried += len(piece)
                if carried > self.after and self._break():
                    if self._silent:
                        self._closing.wait()
                    break
                sink.sendall(piece)
        _hang_up(source)
        _hang_up(sink)

    def _break(self) -> bool:
        with self._lock:
            if self.broken == self.breaks:
                return False
            self.broken += 1
            return True


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def weak_line(target: str, *, after: int, breaks: int, silent: bool = False) -> Iterator[WeakLine]:
    """Lay a weak line to a server's address."""
    line = WeakLine(target, after=after, breaks=breaks, silent=silent)
    try:
        yield line
    finally:
        line.close()
