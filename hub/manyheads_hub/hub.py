"""A hub's folder, opened: settings, database, storage, keys. What the API, the worker and the commands share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manyheads_hub.blobs import Blobs
from manyheads_hub.database import Database
from manyheads_hub.errors import NotReadyError
from manyheads_hub.settings import Settings
from manyheads_hub.signing.keyring import Keyring
from manyheads_hub.signing.ledger import DatabaseLedger
from manyheads_hub.signing.repository import TufRepository
from manyheads_hub.storage.port import Storage
from manyheads_hub.tables import REVISION
from manyheads_shared.passphrase import read_passphrase


@dataclass(frozen=True)
class Hub:
    """An open hub."""

    settings: Settings
    database: Database
    storage: Storage
    keyring: Keyring

    @property
    def blobs(self) -> Blobs:
        """Every file named by digest."""
        return Blobs(self.storage)

    @property
    def repository(self) -> TufRepository:
        """The TUF repository."""
        return TufRepository(self.storage, self.database.alone, DatabaseLedger(self.database), self.keyring)

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

    def close(self) -> None:
        """Close every connection."""
        self.database.close()
        self.storage.close()


def build_hub(settings: Settings) -> Hub:
    """Return the hub that settings describe. Nothing is read or connected before it is used."""
    return Hub(settings, build_database(settings), build_storage(settings), Keyring(settings.keys, read_passphrase()))


def build_database(settings: Settings) -> Database:
    """Return the database that settings name."""
    if settings.database is None:
        from manyheads_hub.engines.sqlite import SqliteServer  # noqa: PLC0415 - one of two

        return Database(SqliteServer(settings.sqlite))
    from manyheads_hub.engines.postgres import PostgresServer  # noqa: PLC0415 - loaded by those who use it

    return Database(PostgresServer(settings.database))


def build_storage(settings: Settings) -> Storage:
    """Return the storage that settings name."""
    if settings.storage is None:
        from manyheads_hub.storage.directory import DirectoryStorage  # noqa: PLC0415 - one of two

        return DirectoryStorage(settings.folder)
    from manyheads_hub.storage.s3 import S3Storage  # noqa: PLC0415 - boto3 takes half a second to load

    return S3Storage(settings.storage)


@contextmanager
def opened(folder: Path) -> Iterator[Hub]:
    """Open the hub in `folder` as it is, whatever its tables, and close it afterwards.

    Raises:
        UsageError: no hub there, or its settings are wrong.
    """
    hub = build_hub(Settings.read(folder))
    try:
        yield hub
    finally:
        hub.close()


@contextmanager
def open_hub(folder: Path) -> Iterator[Hub]:
    """Open the hub in `folder` and close it afterwards. Tables that an earlier version made are brought up to date.

    Raises:
        UsageError: no hub there, its settings are wrong, or a later version made its database.
        UnavailableError: the database does not answer.
    """
    with opened(folder) as hub:
        if hub.database.read_revision() < REVISION:
            from manyheads_hub.migrations.run import upgrade  # noqa: PLC0415 - Alembic takes a second to load

            upgrade(hub.database)
        hub.database.check_version()
        yield hub
