"""A job in a process of its own, with bounds on memory, processor time and patience: no head can take the worker down.

The worker claims the job and hands over the lease; the child opens the hub, keeps the lease and writes the result, as a worker
does that works alone. Ended for a bound, it leaves the job to be tried again; three times, and it is dead. A child dies with
its worker.
"""

import ctypes
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from manyheads_hub.errors import UnavailableError
from manyheads_hub.evaluations.jobs import BoundExceededError, Lease
from manyheads_hub.evaluations.worker import OUTAGES, StoppedError, Worker, describe
from manyheads_hub.hub import open_hub
from manyheads_hub.monitoring.logs import LogFormat, log_to_stderr

POLL_SECONDS = 0.1
GRACE_SECONDS = 20.0  # for a child that is asked to stop, and puts its job back
CPU_GRACE = 5  # seconds between the signal that can be read in a log and the one that cannot be caught
_PR_SET_PDEATHSIG = 1  # Linux, prctl(2)

logger = logging.getLogger("manyheads_hub.evaluations.isolation")  # not __name__: it runs as a program


@dataclass(frozen=True)
class Bounds:
    """What one job may use."""

    seconds: int
    cpu_seconds: int
    memory_bytes: int  # resident


@dataclass(frozen=True)
class Isolation:
    """Does jobs of one hub, each in a child process."""

    folder: Path
    bounds: Bounds
    log: LogFormat
    stop: threading.Event

    def __call__(self, lease: Lease) -> None:
        """Do a claimed job.

        Raises:
            BoundExceededError: its process was ended for a bound, or died; the lease is still held.
            StoppedError: the worker was asked to stop, and the process could not put the job back itself.
            UnavailableError: the process could not reach the database; likewise.
        """
        handed = (str(os.getpid()), str(self.folder), json.dumps(asdict(lease)), str(self.bounds.cpu_seconds), self.log)
        child = subprocess.Popen([sys.executable, "-m", __name__, *handed])  # noqa: S603 - our own interpreter and module
        began, asked = time.monotonic(), None
        while child.poll() is None:
            now = time.monotonic()
            if self.stop.is_set() and asked is None:
                child.send_signal(signal.SIGTERM)
                asked = now
            late = asked is not None and now - asked > GRACE_SECONDS
            if (reason := self._find_excess(child.pid, now - began)) is not None or late:
                child.kill()
                child.wait()
            if reason is not None:
                raise BoundExceededError(f"job {lease.job_id} was ended: {reason}")
            time.sleep(POLL_SECONDS)
        if child.returncode != 0 and self.stop.is_set():  # it was not listening yet, or not in time: not the job's fault
            raise StoppedError(f"job {lease.job_id} was ended: the worker was asked to stop")
        if child.returncode == UnavailableError.exit_code:
            raise UnavailableError(f"job {lease.job_id} could not reach the hub's database")
        if child.returncode != 0:
            raise BoundExceededError(f"job {lease.job_id} was ended: {self._describe(child.returncode)}")

    def _find_excess(self, pid: int, seconds: float) -> str | None:
        if seconds > self.bounds.seconds:
            return f"it took more than {self.bounds.seconds} s"
        used, bound = read_resident_bytes(pid), self.bounds.memory_bytes
        return f"it held {used >> 20} MB of memory, more than {bound >> 20} MB" if used > bound else None

    def _describe(self, code: int) -> str:
        if code == -signal.SIGXCPU:
            return f"it used more than {self.bounds.cpu_seconds} s of processor time"
        return f"its process died of {signal.Signals(-code).name}" if code < 0 else f"its process ended with code {code}"


def read_resident_bytes(pid: int) -> int:
    """How much memory a process holds now; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * resource.getpagesize()


def main(worker: int, folder: str, lease: str, cpu_seconds: str, log: LogFormat) -> None:
    """Do one claimed job in this process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker:  # it died before we could ask to be told
        return
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds), int(cpu_seconds) + CPU_GRACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker tells, whoever pressed the keys
    log_to_stderr(log)
    try:
        with open_hub(Path(folder)) as hub:
            Worker(hub, stop=stop).do(Lease(**json.loads(lease)))
    except OUTAGES as error:
        logger.warning("%s", describe(error))
        sys.exit(UnavailableError.exit_code)


if __name__ == "__main__":
    _, _worker, _folder, _lease, _seconds, _log = sys.argv
    main(int(_worker), _folder, _lease, _seconds, "json" if _log == "json" else "text")
