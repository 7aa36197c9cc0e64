"""Packs as an attacker writes them: of whatever a hub serves, truthful or not, with every entry named and placed at will."""

from collections.abc import Iterable
from itertools import count
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Snapshot, Timestamp

from manyheads_client import pack
from manyheads_client.importing import Imported, import_pack
from manyheads_client.pack import PackIndex, open_pack
from manyheads_client.store import HeldMetadata, Store
from manyheads_shared.bundle import BUNDLE_TARGET, object_target
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from tests.support.hub_simulator import HubSimulator, metadata_path

Entry = tuple[str, bytes]  # name and content


def import_from(hub: HubSimulator, store: Store, path: Path, **options: object) -> Imported:
    """Pack what the hub serves into `path` and import it."""
    write_entries(path, entries_of(hub))
    with open_pack(path) as opened:
        return import_pack(store, opened, hub.root_bytes, **options)  # type: ignore[arg-type]


def entries_of(hub: HubSimulator) -> list[Entry]:
    """What belongs into a pack of the hub's newest bundle, as the hub serves it now: first the index, then the objects."""
    roots = [hub.files[path] for path in _roots(hub)]
    timestamp = hub.files[metadata_path("timestamp", 0)]
    snapshot = hub.files[metadata_path("snapshot", _snapshot_version(hub, timestamp))]
    targets = hub.files[metadata_path("targets", _targets_version(snapshot))]
    bundle_path = hub.path_of(BUNDLE_TARGET)
    bundle = Digest("sha256:" + hub.signed["targets"].targets[BUNDLE_TARGET].hashes["sha256"])
    metadata = HeldMetadata(
        roots=tuple(map(digest_bytes, roots)),
        timestamp=digest_bytes(timestamp),
        snapshot=digest_bytes(snapshot),
        targets=digest_bytes(targets),
    )
    objects = {digest_bytes(data): data for data in (*roots, timestamp, snapshot, targets)}
    objects |= {bundle: hub.files[bundle_path]} if bundle_path in hub.files else {}
    for digest in hub.bundle.manifest.object_digests():
        path = f"/tuf/targets/objects/{hex_of(digest)}.{object_target(digest).rpartition('/')[2]}"
        objects |= {digest: hub.files[path]} if path in hub.files else {}
    index = PackIndex.new(bundle=bundle, metadata=metadata)
    return [("pack.json", index.to_bytes()), *sorted((object_target(digest), data) for digest, data in objects.items())]


def write_entries(path: Path, entries: Iterable[Entry], end: bytes = bytes(1024)) -> Path:
    """Write entries as a pack's are written, in the order given."""
    blocks = (pack._header(name, len(data)) + data + bytes(-len(data) % 512) for name, data in entries)
    path.write_bytes(b"".join(blocks) + end)
    return path


def _roots(hub: HubSimulator) -> Iterable[str]:
    for version in count(1):
        if metadata_path("root", version) not in hub.files:
            return
        yield metadata_path("root", version)


def _snapshot_version(hub: HubSimulator, timestamp: bytes) -> int:
    try:
        return Metadata[Timestamp].from_bytes(timestamp).signed.snapshot_meta.version
    except RepositoryError:  # a lie
        return int(hub.signed["snapshot"].version)


def _targets_version(snapshot: bytes) -> int:
    return Metadata[Snapshot].from_bytes(snapshot).signed.meta["targets.json"].version
