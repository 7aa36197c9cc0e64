"""The processes that are killed: how each is started, killed, and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.processes import children

HUB = ("-c", "from manyheads_hub.cli import main; main()")
TREE = Path(__file__).resolve().parents[2]


class Victim:
    """One process that runs until it is killed, and is then started again by whoever watches over it (`Watch`)."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path) -> None:
        self.name, self.log = name, log
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.ended: list[int] = []  # exit codes of its own, without a kill of ours
        self.restart_at: float | None = None  # while it is down: when it may come back
        self.is_stalled = False

    def start(self) -> None:
        self.restart_at = None
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=TREE, env=environment
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    @property
    def jobs(self) -> list[int]:
        """The children in which a worker does its jobs; they are not there between two."""
        return children(self.pid) if self.runs else []

    def kill(self, *, pause: float) -> None:
        """Kill it, to be started again after a pause, in seconds."""
        if self._process is not None and self.runs:
            self._process.kill()
            self._process.wait()
        self.restart_at = time.monotonic() + pause

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to its children."""
        for pid in (*self.jobs, self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self) -> int:
        """Ask it to stop; return the exit code."""
        assert self._process is not None
        if self.is_stalled:
            self.signal(signal.SIGCONT)
        if self.runs:
            self._process.terminate()
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class Server:
    """A server that others stand on: PostgreSQL or the S3 store."""

    def __init__(self, name: str, kill: Callable[[], None], start: Callable[[], None]) -> None:
        self.name, self._kill, self._start = name, kill, start
        self.is_up = True

    def restart(self, pause: float) -> None:
        """Kill it, and start it again after a pause, in seconds."""
        self.is_up = False
        try:
            self._kill()
            time.sleep(pause)
        finally:
            self._start()
            self.is_up = True


def watch(victims: Sequence[Victim]) -> None:
    """Start again what is down and due; call this often. What ended by itself is written down and started at once."""
    for victim in victims:
        if victim.runs or victim.is_stalled:
            continue
        if victim.restart_at is None:
            assert victim.exit_code is not None
            victim.ended.append(victim.exit_code)
            victim.restart_at = time.monotonic() + 1.0
        elif time.monotonic() >= victim.restart_at:
            victim.start()
