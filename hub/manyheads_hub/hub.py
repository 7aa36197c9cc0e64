"""A hub's folder, opened: settings, database, blobs, keys. What the API, the worker and the commands share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manyheads_hub.blobs import BlobStore, DirectoryBlobStore
from manyheads_hub.database import Database
from manyheads_hub.errors import NotReadyError
from manyheads_hub.settings import Settings
from manyheads_hub.signing.keyring import Keyring, read_passphrase
from manyheads_hub.signing.repository import TufRepository
from manyheads_hub.tables import REVISION


@dataclass(frozen=True)
class Hub:
    """An open hub."""

    settings: Settings
    database: Database
    blobs: BlobStore
    keyring: Keyring

    @property
    def repository(self) -> TufRepository:
        """The TUF repository."""
        return TufRepository(self.settings.tuf_metadata, self.settings.tuf_targets, self.keyring)

    def fresh_settings(self) -> Settings:
        """Read hub.toml again: the suite may have changed since the hub was opened."""
        return Settings.read(self.settings.folder)

    def suite_folder(self) -> Path:
        """Return the suite's folder.

        Raises:
            NotReadyError: the hub has none.
        """
        suite = self.fresh_settings().suite
        if suite is None:
            raise NotReadyError(
                f"this hub has no suite to measure on; give it one with `manyheads-hub suite {self.settings.folder} DIR`"
            )
        return suite


def build_hub(settings: Settings) -> Hub:
    """Return the hub that settings describe. Nothing is read or connected before it is used."""
    keyring = Keyring(settings.keys, read_passphrase())
    return Hub(settings, Database(settings.database), DirectoryBlobStore(settings.blobs), keyring)


@contextmanager
def open_hub(folder: Path) -> Iterator[Hub]:
    """Open the hub in `folder` and close it afterwards. Tables that an earlier version made are brought up to date.

    Raises:
        UsageError: no hub there, its settings are wrong, or a later version made its database.
    """
    hub = build_hub(Settings.read(folder))
    try:
        if hub.database.read_revision() < REVISION:
            from manyheads_hub.migrations.run import upgrade  # noqa: PLC0415 - Alembic takes a second to load

            upgrade(hub.database)
        hub.database.check_version()
        yield hub
    finally:
        hub.database.close()
