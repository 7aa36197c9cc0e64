"""A hub process of our own: started on loopback, waited for, stopped by its process id."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.demo.steps import StepError, command_path
from manyheads_shared.files import write_atomic

HOST = "127.0.0.1"
_STOP_SECONDS = 15.0  # the hub gives requests under way ten


@contextmanager
def running_hub(folder: Path, log: Path) -> Iterator[str]:
    """Run `manyheads-hub serve FOLDER` while the block runs; yield its address.

    The port is remembered beside the log: a hub that is started again is found at its old address.

    Raises:
        StepError: the hub ended instead of listening.
    """
    port = _choose_port(log.with_name("port"))
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(command_path("manyheads-hub")), "serve", str(folder), "--host", HOST, "--port", str(port)]
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stream, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # "listening on http://…", once requests are answered
        if not line.startswith("listening on "):
            raise StepError(f"manyheads-hub serve ended with exit code {process.wait()}; see {log}")
        yield line.removeprefix("listening on ").strip()
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _choose_port(remembered: Path) -> int:
    """The port of last time where it is free, else any free one."""
    wanted = int(remembered.read_text()) if remembered.exists() else 0
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
        write_atomic(remembered, str(chosen).encode())
        return chosen
    raise StepError(f"no free port on {HOST}")
