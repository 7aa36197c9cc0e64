"""Bundles and TUF: numbers without a gap, the same bundle for every client, the catalogue in the newest one."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from manyheads_client import Bundle
from manyheads_client.fetch import HttpFetcher
from manyheads_client.store import Store
from manyheads_client.update import pull
from manyheads_hub.hub import Hub
from manyheads_hub.tables import BundleRow, HeadRow
from manyheads_shared.bundle import BundleManifest, verify_bundle
from manyheads_shared.digest import hex_of
from manyheads_shared.errors import ManyheadsError
from tests.faults.evidence import Evidence
from tests.faults.invariants.finding import Finding, find
from tests.faults.journal import Line
from tests.faults.stage import Stage


def check_bundles(stage: Stage, evidence: Evidence) -> list[Finding]:
    """Check what was published, as the database has it, as the storage has it, and as clients saw it."""
    hub = stage.hub
    with hub.database.read() as session:
        rows = list(session.scalars(select(BundleRow).order_by(BundleRow.sequence)))
        heads = list(session.scalars(select(HeadRow)))
    pulled = evidence.of("pulled")
    stamps = evidence.of("timestamp")
    newest = BundleManifest.from_bytes(hub.blobs.read(rows[-1].digest))
    return [
        find("bundles are numbered without a gap, each published", len(rows), _numbering(hub, rows)),
        find("each bundle verifies, and its files are there for clients", len(rows), _unverified(hub, rows)),
        find(
            "every bundle that a client took is the one of its number",
            len(pulled),
            _strange(pulled, {row.sequence: str(row.digest) for row in rows}),
        ),
        find(
            "no client was ever given what it had to refuse",
            len(evidence.of("pulling")),
            (f"{each['error']}: {each['message']}" for each in evidence.of("refused")),
        ),
        find("no client's store ever went back", len(pulled), _going_back(evidence)),
        find("timestamps only went up, and no version was signed twice", len(stamps), _timestamps(evidence)),
        find("the newest bundle holds every listed head and no other", len(heads), _differing(newest, heads)),
        find("clients of the first hour and new ones pull the newest bundle", 4, _stuck(stage, rows[-1].sequence)),
    ]


def _numbering(hub: Hub, rows: list[BundleRow]) -> Iterator[str]:
    for number, row in enumerate(rows, start=1):
        if row.sequence != number or row.published is None:
            yield f"bundle {row.sequence} stands at place {number}, published {row.published}"
    if hub.repository.newest_bundle() != rows[-1].digest:
        yield f"TUF names {hub.repository.newest_bundle()}, the database {rows[-1].digest}"


def _unverified(hub: Hub, rows: list[BundleRow]) -> Iterator[str]:
    for row in rows:
        try:
            data = hub.blobs.read(row.digest)
            verify_bundle(data, hub.blobs.read)
        except ManyheadsError as error:
            yield f"bundle {row.sequence}: {error}"
            continue
        for digest in BundleManifest.from_bytes(data).object_digests():
            name = f"tuf/targets/objects/{hex_of(digest)}.{hex_of(digest)}"
            if hub.storage.find_digest(name) != digest:
                yield f"bundle {row.sequence}: {name}"


def _strange(pulled: list[Line], rows: dict[int, str]) -> Iterator[str]:
    for line in pulled:
        published = rows.get(line["sequence"])
        if published != line["digest"]:
            yield f"a client holds bundle {line['sequence']} as {line['digest']}, the hub as {published}"


def _going_back(evidence: Evidence) -> Iterator[str]:
    for name, lines in evidence.lines.items():
        newest: dict[str, int] = defaultdict(int)
        for line in lines:
            if line["kind"] == "pulled":
                if line["sequence"] < newest[line["store"]]:
                    yield f"{name}: {newest[line['store']]} to {line['sequence']}"
                newest[line["store"]] = line["sequence"]


def _timestamps(evidence: Evidence) -> Iterator[str]:
    signed: dict[int, str] = {}
    for name, lines in evidence.lines.items():
        last = 0
        for line in lines:
            if line["kind"] == "timestamp":
                if line["version"] < last:
                    yield f"{name}: {last} to {line['version']}"
                last = line["version"]
                if signed.setdefault(last, line["digest"]) != line["digest"]:
                    yield f"version {last} was signed twice"


def _differing(newest: BundleManifest, heads: list[HeadRow]) -> Iterator[str]:
    held = {str(entry.head) for entry in newest.heads}
    for head in heads:
        is_held = head.digest in held
        if (head.state == "listed") != is_held:
            where = f"{'in' if is_held else 'not in'} bundle {newest.sequence}"
            yield f"{head.generator}@{head.version} is {head.state}, and {where}"


def _stuck(stage: Stage, newest: int) -> Iterator[str]:
    stores = [("the first store", stage.first_store), ("a new store", Store(stage.folder / "last-store"))]
    stores += [(str(path.name), Store(path)) for path in sorted((stage.folder / "drivers").glob("client-*/kept"))]
    for (name, store), url in zip(stores, stage.urls * len(stores), strict=False):
        try:
            sequence = pull(store, url, stage.root, HttpFetcher()).held.sequence
            Bundle.open(Path(store.folder))
        except ManyheadsError as error:
            yield f"{name}: {error}"
            continue
        if sequence != newest:
            yield f"{name}: bundle {sequence}, not {newest}"
