"""The loop under random kills: every process of the demo ended by SIGKILL, again and again, until it is through.

A small patterned world, three epochs. Nothing may be lost and nothing done twice: the loop must end with every head accepted
and every generator's images attributed rightly. Run by hand; it takes minutes.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy.demo.results import RIGHT
from tests.support.patterned import GRIDS, write_patterned_world

KILLS = 14
SECONDS = (4.0, 22.0)  # until a kill; starting python and torch takes two to four of them
RECIPE = ("max_epochs=3", "batch_size=32", "primary_learning_rate=0.01", "head_learning_rate=0.01", "patience=3")
HERE = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run, kill, run again; print and check what came of it."""
    began, seed = time.monotonic(), time.time_ns()
    draw = random.Random(seed)  # noqa: S311 - moments, no secrets
    with tempfile.TemporaryDirectory() as folder:
        images, work = Path(folder, "images"), Path(folder, "work")
        write_patterned_world(images, real=640, generated=400)
        command = [sys.executable, "-m", "deploy.demo", "--data", str(images), "--out", str(work)]
        command += [part for change in RECIPE for part in ("--set", change)]
        kills = 0
        while not _finish(command, draw.uniform(*SECONDS) if kills < KILLS else None):
            kills += 1
        results: dict[str, Any] = json.loads((work / "results.json").read_bytes())
    decisions = {head["generator"]: head["decision"] for head in results["heads"]}
    print(f"{kills} kills (seed {seed}), {time.monotonic() - began:.0f} s; {decisions}; {results['verdicts']}")
    assert decisions == dict.fromkeys(GRIDS, "accepted")
    for name in GRIDS:
        verdicts = results["verdicts"][f"generated/{name}"]
        assert verdicts[RIGHT] > 0.8 * sum(verdicts.values())


def _finish(command: list[str], seconds: float | None) -> bool:
    """Run a command in a session of its own; after so many seconds kill all of it and return False."""
    process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        for pid in _session(process.pid):
            with suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(pid, signal.SIGKILL)
        process.communicate()
        return False
    assert process.returncode == 0, errors.decode()
    return True


def _session(leader: int) -> list[int]:
    """The processes of one session, however deep."""
    rows = subprocess.run(["ps", "-eo", "pid=,sid="], capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S607
    return [int(pid) for pid, session in map(str.split, rows) if int(session) == leader]


if __name__ == "__main__":
    main()
