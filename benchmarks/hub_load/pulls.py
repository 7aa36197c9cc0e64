"""Many clients pulling at once: cold, each into an empty store, then warm, with nothing new. Each verifies all it gets."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.hub_load.crowd import share_out, waiting_crowd
from benchmarks.hub_load.figures import outcome
from benchmarks.hub_load.hubs import Served
from manyheads_hub.settings import Settings


def measure_pulls(hubs: Sequence[Served], nginx: str, folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """Let `count` clients pull from each hub, and from nginx serving the first hub's files."""
    servers = [(hub.title, hub.url, hub) for hub in hubs] + [("nginx", nginx, hubs[0])]
    for number, (title, url, hub) in enumerate(servers):
        stores = [str(folder / f"store-{number}-{i}") for i in range(count)]
        arguments = [url, str(Settings.read(hub.folder).root)]
        with waiting_crowd("puller", [[*arguments, *share] for share in share_out(stores)]) as crowd:
            cold, warm = crowd.go(), crowd.go()
        yield {"from": title, "cold": outcome(cold) | _most(cold), "warm": outcome(warm) | _most(warm)}


def _most(results: Sequence[dict[str, Any]]) -> dict[str, int]:
    """What a client fetched and verified; all fetch the same."""
    return {f"{what}_each": max(result[what] for result in results) for what in ("bytes", "objects")}
