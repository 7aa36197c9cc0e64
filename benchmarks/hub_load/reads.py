"""What is read of a hub, asked for by wrk: each hub in turn, and nginx where it has the same bytes; then all over again."""

import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.hub_load.figures import spread
from benchmarks.hub_load.hubs import Served
from benchmarks.hub_load.scales import Scale
from benchmarks.hub_load.wrk import Answered, ask
from manyheads_hub.hub import open_hub
from manyheads_hub.signing.tuf_files import METADATA
from manyheads_hub.tables import HeadRow
from manyheads_shared.digest import hex_of

NGINX = "nginx"


@dataclass(frozen=True)
class Cell:
    """One kind of request."""

    name: str
    paths: tuple[str, ...]
    by_nginx: bool  # the same bytes lie in a folder


def list_cells(hub: Served) -> list[Cell]:
    """Return what is asked for."""
    with open_hub(hub.folder) as opened, opened.database.read() as session:
        heads = [(row.generator, row.version, hex_of(row.digest)) for row in session.query(HeadRow).limit(20)]
        names = [file.name.removeprefix(METADATA) for file in opened.storage.list(METADATA)]
    newest = max((name for name in names if name.endswith(".targets.json")), key=lambda name: int(name[1:].partition(".")[0]))
    return [
        Cell("catalogue, API (100 heads a page)", ("/v1/catalogue",), by_nginx=False),
        Cell("catalogue, page (25 heads)", ("/",), by_nginx=False),
        Cell("head, API", tuple(f"/v1/catalogue/{name}/{version}" for name, version, _ in heads), by_nginx=False),
        Cell("head, page", tuple(f"/heads/{name}/{version}" for name, version, _ in heads), by_nginx=False),
        Cell("newest bundle, API", ("/v1/bundles/latest",), by_nginx=False),
        Cell("TUF timestamp", ("/tuf/metadata/timestamp.json",), by_nginx=True),
        Cell("TUF targets metadata", (f"/tuf/metadata{newest}",), by_nginx=True),
        Cell("a head's file", tuple(f"/tuf/targets/objects/{digest}.{digest}" for *_, digest in heads), by_nginx=True),
    ]


def measure_reads(hubs: Sequence[Served], nginx: str, wrk: str, scale: Scale) -> Iterator[dict[str, Any]]:
    """Measure every cell."""
    return (_measure(cell, hubs, nginx, wrk, scale) for cell in list_cells(hubs[0]))


def _measure(cell: Cell, hubs: Sequence[Served], nginx: str, wrk: str, scale: Scale) -> dict[str, Any]:
    servers = {hub.title: hub.url for hub in hubs} | ({NGINX: nginx} if cell.by_nginx else {})
    sizes = {title: len(_fetch(url + cell.paths[0])) for title, url in servers.items()}
    if cell.by_nginx:  # the twins have signed their timestamps at different moments
        assert _fetch(servers[NGINX] + cell.paths[-1]) == _fetch(hubs[0].url + cell.paths[-1])
    runs: dict[str, list[Answered]] = defaultdict(list)
    for url in servers.values() if scale.warm_up_seconds else ():
        ask(wrk, url, cell.paths, connections=scale.connections, seconds=scale.warm_up_seconds)
    for _ in range(scale.repeats):
        for title, url in servers.items():
            runs[title].append(ask(wrk, url, cell.paths, connections=scale.connections, seconds=scale.seconds))
    rates = {title: spread([run.a_second for run in of]) for title, of in runs.items()}
    return {
        "name": cell.name,
        "bytes": sizes[hubs[0].title],
        "servers": {
            title: {
                "a_second": rates[title],
                "p50_ms": spread([run.p50_ms for run in of]),
                "p99_ms": spread([run.p99_ms for run in of]),
                "megabytes_a_second": spread([run.megabytes_a_second for run in of]),
                "requests": sum(run.requests for run in of),
                "errors": sum(run.errors for run in of),
            }
            for title, of in runs.items()
        },
    }


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own servers
        data: bytes = answer.read()
    return data
