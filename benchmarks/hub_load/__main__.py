"""`python -m benchmarks.hub_load [--quick] [PART]…`: run the load test, or some parts of it, and write what came of it.

`--quick` tries everything out on a few heads and keeps no results.
"""

import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.hub_load.evaluations import measure_evaluations
from benchmarks.hub_load.growth import measure_growth
from benchmarks.hub_load.hubs import make_twins, serving
from benchmarks.hub_load.nginx import running_nginx
from benchmarks.hub_load.pulls import measure_pulls
from benchmarks.hub_load.reads import measure_reads
from benchmarks.hub_load.report import render
from benchmarks.hub_load.scales import FULL, QUICK, Scale
from benchmarks.hub_load.submissions import measure_submissions
from benchmarks.hub_load.tools import find_tools
from benchmarks.machine import hardware
from manyheads_shared import clock
from manyheads_shared.errors import UsageError
from manyheads_shared.files import write_atomic
from tests.support import grounds
from tests.support.memory_folder import new_memory_folder

RESULTS = Path(__file__).resolve().parents[1] / "results"
UNDER_LOAD, ALONE = ("reads", "pulls", "submissions"), ("evaluations", "growth")

Rows = Iterator[dict[str, Any]]
Figures = list[dict[str, Any]]


def main(arguments: Sequence[str]) -> int:
    """Run what is named, or all."""
    quick = "--quick" in arguments
    parts = [argument for argument in arguments if argument != "--quick"] or [*UNDER_LOAD, *ALONE]
    if unknown := sorted(set(parts) - {*UNDER_LOAD, *ALONE}):
        print(f"expected {', '.join((*UNDER_LOAD, *ALONE))} or --quick, got {', '.join(unknown)}", file=sys.stderr)
        return 2
    try:
        tools = find_tools()
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends every server in order
    busy = os.getloadavg()[0]  # of others: nothing of ours runs yet
    with grounds.servers:  # PostgreSQL and S3, once they are asked for
        for part, figures in run(QUICK if quick else FULL, parts, tools):
            if not quick:
                keep(part, figures, arguments, busy)
    return 0


def run(scale: Scale, parts: Sequence[str], tools: dict[str, str]) -> Iterator[tuple[str, Figures]]:
    """Run some parts; yield what is measured of each so far, whenever there is more."""
    if wanted := [part for part in UNDER_LOAD if part in parts]:
        with tempfile.TemporaryDirectory(prefix="manyheads-load-") as folder:
            yield from _run_under_load(scale, wanted, tools, Path(folder))
    for part, measure in _alone(scale, tools).items():
        if part in parts:
            memory = new_memory_folder("manyheads-load-")
            try:
                yield from _so_far(part, measure(memory))
            finally:
                shutil.rmtree(memory)


def _run_under_load(scale: Scale, parts: Sequence[str], tools: dict[str, str], folder: Path) -> Iterator[tuple[str, Figures]]:
    """Run what needs the hubs and nginx up at once."""
    with ExitStack() as stack:
        twins = make_twins(folder, scale.heads, scale.grounds)
        hubs = [stack.enter_context(serving(title, place)) for title, place in twins.items()]
        nginx = stack.enter_context(running_nginx(tools["nginx"], hubs[0].folder, folder / "nginx"))
        measures: dict[str, Callable[[], Rows]] = {
            "reads": lambda: measure_reads(hubs, nginx, tools["wrk"], scale),
            "pulls": lambda: measure_pulls(hubs, nginx, folder, scale.pulls),
            "submissions": lambda: measure_submissions(hubs, folder, scale.submissions),
        }
        for part in parts:
            yield from _so_far(part, measures[part]())


def _alone(scale: Scale, tools: dict[str, str]) -> dict[str, Callable[[Path], Rows]]:
    return {
        "evaluations": lambda folder: measure_evaluations(folder / "hub", scale.evaluated),
        "growth": lambda folder: measure_growth(folder, tools["wrk"], scale.sizes, scale.seconds),
    }


def _so_far(part: str, rows: Rows) -> Iterator[tuple[str, Figures]]:
    figures: Figures = []
    for row in rows:
        print(row, flush=True)
        figures.append(row)
        yield part, list(figures)


def keep(part: str, figures: Figures, arguments: Sequence[str], busy: float) -> None:
    """Write the figures of one part; the others stay as they were, with their own date."""
    path = RESULTS / "hub-load.json"
    known: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    known[part] = {
        "date": clock.now()[:10],
        "hardware": hardware(),
        "load_before": round(busy, 1),
        "command": shlex.join(["python", "-m", "benchmarks.hub_load", *arguments]),
        "figures": figures,
    }
    write_atomic(path, (json.dumps(known, indent=1) + "\n").encode())
    write_atomic(path.with_suffix(".md"), render(known).encode())


if __name__ == "__main__":
    began = time.monotonic()
    code = main(sys.argv[1:])
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(code)
