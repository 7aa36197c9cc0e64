"""The real TUF client over a repository in a storage, without a server: what a forensic client would accept."""

from collections.abc import Iterator
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

from manyheads_hub.storage.port import Storage, StoredFileMissingError
from manyheads_shared.bundle import BUNDLE_TARGET


class StorageFetcher(FetcherInterface):
    """Fetches `storage:/tuf/metadata/…` and `storage:/tuf/targets/…`; a missing file is a 404."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            return iter([self.storage.read(url.removeprefix("storage:/"))])
        except StoredFileMissingError as error:
            raise DownloadHTTPError(f"no {url}", 404) from error


def open_updater(storage: Storage, root: bytes, cache: Path) -> Updater:
    """A client that trusts `root`, its cache in `cache`."""
    (cache / "targets").mkdir(parents=True, exist_ok=True)
    return Updater(
        str(cache),
        "storage:/tuf/metadata",
        str(cache / "targets"),
        "storage:/tuf/targets",
        fetcher=StorageFetcher(storage),
        bootstrap=root,
    )


def fetch_target(updater: Updater, path: str = BUNDLE_TARGET) -> bytes | None:
    """Fetch and verify one target; None when the metadata do not list it."""
    target = updater.get_targetinfo(path)
    return None if target is None else Path(updater.download_target(target)).read_bytes()
