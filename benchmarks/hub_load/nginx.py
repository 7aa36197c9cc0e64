"""nginx in a folder of its own on a free port, serving a hub's TUF files as they lie there."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port

START_SECONDS = 10.0

CONFIGURATION = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    types {{ application/json json; }}
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /tuf/ {{ root {root}; add_header Cache-Control "public, max-age=31536000, immutable"; }}
        location = /tuf/metadata/timestamp.json {{ root {root}; add_header Cache-Control no-cache; }}
    }}
}}
"""


@contextmanager
def running_nginx(nginx: str, root: Path, folder: Path) -> Iterator[str]:
    """Run nginx over `root`/tuf; yields its address.

    Args:
        folder: an empty one, for its configuration, pid and log.
    """
    folder.mkdir()
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""  # its worker must read what the hub wrote
    (folder / "nginx.conf").write_text(CONFIGURATION.format(user=user, folder=folder, port=port, root=root.resolve()))
    process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    try:
        _wait(process, port, folder / "error.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        else:
            return
