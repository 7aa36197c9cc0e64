"""The real TUF client over a repository's two folders, without a server: what a forensic client would accept."""

from collections.abc import Iterator
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

from manyheads_shared.bundle import BUNDLE_TARGET


class FolderFetcher(FetcherInterface):
    """Fetches `folder:/metadata/…` and `folder:/targets/…` from below one folder; a missing file is a 404."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = self.folder / url.removeprefix("folder:/")
        if not path.is_file():
            raise DownloadHTTPError(f"no {url}", 404)
        return iter([path.read_bytes()])


def open_updater(folder: Path, root: bytes, cache: Path) -> Updater:
    """A client that trusts `root`, its cache in `cache`; the repository lies in `folder/metadata` and `folder/targets`."""
    (cache / "targets").mkdir(parents=True, exist_ok=True)
    return Updater(
        str(cache),
        "folder:/metadata",
        str(cache / "targets"),
        "folder:/targets",
        fetcher=FolderFetcher(folder),
        bootstrap=root,
    )


def fetch_target(updater: Updater, path: str = BUNDLE_TARGET) -> bytes | None:
    """Fetch and verify one target; None when the metadata do not list it."""
    target = updater.get_targetinfo(path)
    return None if target is None else Path(updater.download_target(target)).read_bytes()
