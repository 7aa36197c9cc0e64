"""TUF over the network: which metadata is the hub's newest. The library walks it; nothing else asks for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from manyheads_client.fetch import Fetcher
from manyheads_client.refusals import named_refusals
from manyheads_client.seen import Seen
from manyheads_client.store import HeldMetadata, Store
from manyheads_client.trust import BELOW_ROOT, MAX_METADATA_BYTES, MAX_ROOTS, load
from manyheads_shared.api import TUF_METADATA_PREFIX

CONFIG = UpdaterConfig(
    max_root_rotations=MAX_ROOTS,
    root_max_length=MAX_METADATA_BYTES[Root.type],
    timestamp_max_length=MAX_METADATA_BYTES[Timestamp.type],
    snapshot_max_length=MAX_METADATA_BYTES[Snapshot.type],
    targets_max_length=MAX_METADATA_BYTES[Targets.type],
)


def refresh(store: Store, url: str, root: bytes, fetcher: Fetcher) -> HeldMetadata:
    """Bring the store's working metadata up to the hub's newest and keep it as objects. The caller holds the lock.

    Raises:
        UpdateRefusedError: the metadata is refused; the subclass says why.
        FetchError: the hub cannot be reached, refuses, or sends without end.
    """
    known, seen = store.read_root() is not None, Seen(store.metadata_folder)
    if not known:  # left by a first pull that failed, perhaps under another root
        seen.forget()
    store.metadata_folder.mkdir(parents=True, exist_ok=True)
    watched = _Watched(fetcher, is_known_hub=known)
    with named_refusals(url, watched):
        updater = Updater(
            str(store.metadata_folder), url.rstrip("/") + TUF_METADATA_PREFIX, fetcher=watched, config=CONFIG, bootstrap=root
        )
        updater.refresh()
    newest = load(Root.type, (store.metadata_folder / "root.json").read_bytes()).signed.version
    later = (seen.root_path(version).read_bytes() for version in range(load(Root.type, root).signed.version + 1, newest + 1))
    timestamp, snapshot, targets = (store.keep(seen.path(role).read_bytes()) for role in BELOW_ROOT)
    return HeldMetadata(
        roots=tuple(store.keep(data) for data in (root, *later)), timestamp=timestamp, snapshot=snapshot, targets=targets
    )


class _Watched(FetcherInterface):
    """Passes requests on and remembers the last metadata file, to tell a rollback from a mix."""

    def __init__(self, fetcher: Fetcher, *, is_known_hub: bool) -> None:
        self._fetcher = fetcher
        self.is_known_hub = is_known_hub
        self.last_name, self.last_data = "", b""

    def download_bytes(self, url: str, max_length: int) -> bytes:
        self.last_name = Path(url).name
        self.last_data = super().download_bytes(url, max_length)
        return self.last_data

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._fetcher.fetch(url)

    def is_mixed(self) -> bool:
        """Whether the last file was asked for by one version and carries another (`5.snapshot.json` with version 4)."""
        asked, _, name = self.last_name.partition(".")
        if not asked.isdigit() or name == "root.json":
            return False
        return bool(Metadata[Any].from_bytes(self.last_data).signed.version != int(asked))
