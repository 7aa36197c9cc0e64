"""One run of wrk: requests a second, percentiles, and every error it saw."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Answered:
    """What wrk saw."""

    requests: int
    a_second: float
    megabytes_a_second: float
    p50_ms: float
    p99_ms: float
    refused: int  # answers with a status of 400 or more
    broken: int  # connections refused, broken or silent

    @property
    def errors(self) -> int:
        """Everything that was no good answer."""
        return self.refused + self.broken


def ask(wrk: str, url: str, paths: Sequence[str], *, connections: int, seconds: int) -> Answered:
    """Ask a server for some paths in turn, over connections that stay open, as fast as it answers."""
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", str(SCRIPT)]
    done = subprocess.run([*command, url, "--", *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    elapsed = seen["microseconds"] / 1e6
    return Answered(
        requests=seen["requests"],
        a_second=seen["requests"] / elapsed,
        megabytes_a_second=seen["bytes"] / elapsed / 1e6,
        p50_ms=seen["p50"] / 1000,
        p99_ms=seen["p99"] / 1000,
        refused=seen["refused"],
        broken=seen["broken"],
    )
