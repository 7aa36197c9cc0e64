"""A hub's folder, opened: its settings, its database, its blobs. What the API, the worker and the commands share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manyheads_hub.blobs import BlobStore, DirectoryBlobStore
from manyheads_hub.database import Database
from manyheads_hub.settings import Settings


@dataclass(frozen=True)
class Hub:
    """An open hub."""

    settings: Settings
    database: Database
    blobs: BlobStore

    def fresh_settings(self) -> Settings:
        """Read hub.toml again: the suite may have changed since the hub was opened."""
        return Settings.read(self.settings.folder)


def build_hub(settings: Settings) -> Hub:
    """Return the hub that settings describe. Nothing is read or connected before it is used."""
    return Hub(settings, Database(settings.database), DirectoryBlobStore(settings.blobs))


@contextmanager
def open_hub(folder: Path) -> Iterator[Hub]:
    """Open the hub in `folder` and close it afterwards.

    Raises:
        UsageError: no hub there, its settings are wrong, or another version made its database.
    """
    hub = build_hub(Settings.read(folder))
    try:
        hub.database.check_version()
        yield hub
    finally:
        hub.database.close()
