"""The hubs that are measured: `manyheads-hub serve` and `worker` as users run them, on both grounds, their limits lifted.

Every request of a load test comes from one address, so the limits on what one address may ask for are out of the way.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.hub_load.planting import Orchard, start_orchard
from manyheads_hub.evaluations.policy import read_policy, write_policy
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.settings import Settings
from tests.support.grounds import EMBEDDED, PRODUCTION, move, new_ground
from tests.support.live_hub import Process, make_hub

TITLES = {EMBEDDED: "SQLite and a folder", PRODUCTION: "PostgreSQL and S3"}
WITHOUT_END = 10**9
MIN_PROOFS = 10  # of the policy: submissions of 20 images, not 48, so that a hundred of them fit into a minute


@dataclass(frozen=True)
class Served:
    """A hub in a folder, and the process that serves it."""

    title: str
    folder: Path
    url: str


def make_open_hub(folder: Path) -> Path:
    """Make a hub with a published primary that any number of requests may be made of."""
    make_hub(folder)
    settings = Settings.read(folder)
    lifted = dict.fromkeys(
        ("requests_per_minute", "transfers_per_minute", "submissions_per_day", "offers_per_day"), WITHOUT_END
    )
    replace(settings, limits=replace(settings.limits, **lifted)).write()
    write_policy(settings.policy, read_policy(settings.policy).model_copy(update={"min_proofs": MIN_PROOFS}))
    return folder


def make_twins(folder: Path, heads: int, grounds: Sequence[str]) -> dict[str, Path]:
    """Make the same hub on several grounds, the first being its folder, with so many heads in its newest bundle."""
    first = make_open_hub(folder / "hub-0")
    with open_hub(first) as hub:
        orchard = start_orchard(hub)
        orchard.grow(heads)
        orchard.publish()
    twins = {TITLES[grounds[0]]: first}
    for number, ground in enumerate(grounds[1:], 1):
        twin = twins[TITLES[ground]] = Path(shutil.copytree(first, folder / f"hub-{number}"))
        move(twin, new_ground(ground))
    return twins


@contextmanager
def serving(title: str, folder: Path) -> Iterator[Served]:
    """Serve a hub from one process, without a worker; stopped in order afterwards."""
    process = Process(folder, "--no-worker")
    try:
        yield Served(title, folder, process.url)
    finally:
        assert process.stop() == 0


@contextmanager
def working(folder: Path) -> Iterator[None]:
    """Run a worker beside the block; stopped in order afterwards, its job left to the next."""
    command = [sys.executable, "-c", "from manyheads_hub.cli import main; main()", "worker", str(folder)]
    with (folder.parent / f"{folder.name}-worker.log").open("a") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        yield
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(120) == 0


@contextmanager
def growing(folder: Path) -> Iterator[tuple[Hub, Orchard]]:
    """Open a new hub in which heads can be planted."""
    with open_hub(make_open_hub(folder)) as hub:
        yield hub, start_orchard(hub)
