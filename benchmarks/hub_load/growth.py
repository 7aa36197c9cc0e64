"""A hub that grows: at each size what a page, a pull and a publication cost. In memory, so that no disk is measured."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.hub_load.hubs import growing, serving
from benchmarks.hub_load.planting import Orchard
from benchmarks.hub_load.puller import pull_once
from benchmarks.hub_load.wrk import Answered, ask
from manyheads_hub.catalogue import queries as catalogue
from manyheads_hub.catalogue.search import Search
from manyheads_hub.hub import Hub
from manyheads_hub.paging import ENTRIES_A_PAGE
from manyheads_hub.signing.tuf_files import METADATA, TARGETS
from manyheads_hub.tables import BundleRow
from manyheads_shared.api import BundleInfo


def measure_growth(folder: Path, wrk: str, sizes: Sequence[int], seconds: int) -> Iterator[dict[str, Any]]:
    """Measure at each size.

    Args:
        seconds: of wrk on each address.
    """
    with growing(folder / "hub") as (hub, orchard), serving("growing", folder / "hub") as served:
        for heads in sizes:
            seconds_each = _plant(orchard, heads)
            planted = time.perf_counter()
            bundle = orchard.publish()
            published = time.perf_counter()
            store = str(folder / f"store-{heads}")
            yield {
                "heads": heads,
                "admission_ms": round(1000 * median(seconds_each), 1),
                "publication_seconds": round(published - planted, 2),
                **_weigh(hub, bundle),
                "reads": _read(partial(ask, wrk, served.url, connections=1, seconds=seconds), heads, bundle),
                "cold_pull": _pull(hub, store, served.url),
                **_one_more(hub, orchard, store, served.url),
            }


def _plant(orchard: Orchard, heads: int) -> list[float]:
    """Take in and accept heads one by one; return the seconds of each."""
    moments = [time.perf_counter()]
    for count in range(len(orchard.heads) + 1, heads + 1):
        orchard.grow(count)
        moments.append(time.perf_counter())
    return [later - earlier for earlier, later in pairwise(moments)]


def _weigh(hub: Hub, bundle: BundleInfo) -> dict[str, int]:
    """Bytes of what a bundle of this size is made of, and of all that the hub keeps by now."""
    with hub.database.read() as session:
        row = session.get_one(BundleRow, bundle.sequence)
    newest = max((file.modified, file.size) for file in hub.storage.list(METADATA) if file.name.endswith(".targets.json"))
    return {
        "manifest_bytes": len(hub.blobs.read(row.digest)),
        "calibration_bytes": len(hub.blobs.read(row.calibration)),
        "targets_metadata_bytes": newest[1],
        "head_bytes": _head_bytes(hub),
        "database_bytes": sum(path.stat().st_size for path in hub.settings.folder.glob("hub.sqlite*")),
        "blob_bytes": sum(file.size for file in hub.storage.list("blobs")),
        "target_bytes": sum(file.size for file in hub.storage.list(TARGETS)),
        "metadata_bytes": sum(file.size for file in hub.storage.list(METADATA)),
    }


def _head_bytes(hub: Hub) -> int:
    with hub.database.read() as session:
        (row,) = catalogue.some_heads(session, Search(), 1, 0)
    return len(hub.blobs.read(row.digest))


def _read(ask_one: Callable[[Sequence[str]], Answered], heads: int, bundle: BundleInfo) -> dict[str, dict[str, float]]:
    """What one reader waits for each kind of answer."""
    head = bundle.generators[heads // 2].replace("@", "/")
    addresses = {
        "catalogue, API, first page": "/v1/catalogue",
        "catalogue, API, last page": f"/v1/catalogue?page={-(-heads // ENTRIES_A_PAGE)}",
        "catalogue, page": "/",
        "head, API": f"/v1/catalogue/{head}",
        "head, page": f"/heads/{head}",
        "newest bundle, API": "/v1/bundles/latest",
        "newest bundle, page": f"/bundles/{bundle.sequence}",
        "submissions, page": "/submissions",
    }
    found = {}
    for name, path in addresses.items():
        seen = ask_one([path])
        found[name] = {
            "p50_ms": seen.p50_ms,
            "p99_ms": seen.p99_ms,
            "bytes": round(1e6 * seen.megabytes_a_second / seen.a_second) if seen.requests else 0,
            "requests": seen.requests,
            "errors": seen.errors,
        }
    return found


def _pull(hub: Hub, store: str, url: str) -> dict[str, Any]:
    pulled = pull_once(store, url=url, root=hub.settings.root.read_bytes())
    return pulled | {"seconds": round(pulled["seconds"], 2)}


def _one_more(hub: Hub, orchard: Orchard, store: str, url: str) -> dict[str, Any]:
    """Accept one head more, publish, and pull again."""
    orchard.grow(len(orchard.heads) + 1)
    began = time.perf_counter()
    orchard.publish()
    return {
        "next_publication_seconds": round(time.perf_counter() - began, 2),
        "incremental_pull": _pull(hub, store, url),
        "warm_pull": _pull(hub, store, url),
    }
