"""What a hub can stand on: SQLite or PostgreSQL, a directory or S3. Tests of a contract run on all of them.

The servers are started when the first test asks for them, and their absence is a failure.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, delete, exists, insert, select, text

from manyheads_hub.database import Database
from manyheads_hub.engines.postgres import PostgresServer
from manyheads_hub.engines.sqlite import SqliteServer
from manyheads_hub.hub import Hub, build_hub
from manyheads_hub.migrations.run import upgrade
from manyheads_hub.settings import Settings
from manyheads_hub.storage.directory import DirectoryStorage
from manyheads_hub.storage.location import S3Location
from manyheads_hub.storage.port import Storage
from manyheads_hub.storage.s3 import S3Storage
from manyheads_hub.tables import Table
from tests.support.postgres_server import Postgres, running_postgres
from tests.support.s3_server import S3Server, running_s3

DATABASES = ("sqlite", "postgres")
STORAGES = ("directory", "s3")
GROUNDS = tuple(f"{database}+{storage}" for database in DATABASES for storage in STORAGES)
EMBEDDED, PRODUCTION = "sqlite+directory", "postgres+s3"

servers = ExitStack()  # closed when the tests end (tests/conftest.py)


@dataclass(frozen=True)
class Ground:
    """Where one hub of a test lies; None: in its folder."""

    database: str | None
    storage: S3Location | None


@cache
def postgres() -> Postgres:
    return servers.enter_context(running_postgres())


@cache
def s3() -> S3Server:
    return servers.enter_context(running_s3())


def new_ground(name: str, *, presigned_downloads: bool = False) -> Ground:
    """Return an unused database and an unused place in a bucket, as the name says."""
    database, storage = name.split("+")
    return Ground(
        postgres().new_database() if database == "postgres" else None,
        s3().new_location(presigned_downloads=presigned_downloads) if storage == "s3" else None,
    )


def new_database(kind: str, folder: Path) -> Database:
    """Return an empty database."""
    if kind == "postgres":
        return Database(PostgresServer(postgres().new_database()))
    return Database(SqliteServer(folder / "hub.sqlite"))


def new_storage(kind: str, folder: Path) -> Storage:
    """Return an empty storage."""
    return S3Storage(s3().new_location()) if kind == "s3" else DirectoryStorage(folder)


def move(folder: Path, ground: Ground) -> None:
    """Move an embedded hub to another ground."""
    old = Settings.read(folder)
    new = replace(old, database=ground.database, storage=ground.storage)
    new.write()
    here, there = build_hub(old), build_hub(new)
    if ground.database is not None:
        _copy_tables(here, there)
        old.sqlite.unlink()
    if ground.storage is not None:
        for prefix in ("blobs", "tuf", "uploads"):
            for file in list(here.storage.list(prefix)):
                there.storage.write(file.name, here.storage.read(file.name))
                here.storage.delete(file.name)
    here.close()
    there.close()


def _copy_tables(here: Hub, there: Hub) -> None:
    upgrade(there.database)
    with here.database.reader.begin() as source, there.database.writer.begin() as target:
        for table in Table.metadata.sorted_tables:
            rows = [dict(row._mapping) for row in source.execute(select(table))]
            if target.scalar(select(exists(select(table)))):
                target.execute(delete(table))  # what a migration put there
            if rows:
                target.execute(insert(table), rows)
            if "id" in table.c and table.c.id.type.python_type is int:
                _count_on(target, table.name)


def _count_on(connection: Connection, table: str) -> None:
    """Let PostgreSQL number new rows from where the copied ones end."""
    connection.execute(
        text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 0) + 1, false) FROM {table}")
    )
