"""SQLite through SQLAlchemy: sessions that commit once, at the edge, and the migrations that make the tables.

A writing session takes the write lock at once (BEGIN IMMEDIATE): two writers queue for it, neither fails half-way. WAL lets
readers go on meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from manyheads_shared.errors import UsageError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session

BUSY_TIMEOUT_MS = 30_000  # a writer waits this long for another; ours hold the lock for milliseconds


class Database:
    """A hub's database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = _create_engine(path)
        self._writer = self._reader.execution_options(begin="BEGIN IMMEDIATE")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment and changes nothing."""
        with Session(self._reader) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in one transaction: committed when the block ends, rolled back when it raises."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def create(self) -> None:
        """Make the tables of a new database, or bring older ones up to date."""
        with self._writer.begin() as connection:
            command.upgrade(alembic_config(connection), "head")

    def check_version(self) -> None:
        """Check that the tables are those this software was written for.

        Raises:
            UsageError: no database, or one that a newer version made.
        """
        if not self.path.is_file():
            raise UsageError(f"{self.path}: no such database; the hub's folder is not whole, restore it from a copy")
        with self._reader.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
            expected = ScriptDirectory.from_config(alembic_config(connection)).get_current_head()
        if found != expected:
            raise UsageError(f"{self.path}: expected tables of revision {expected}, got {found}; update manyheads")

    def close(self) -> None:
        """Close every connection."""
        self._reader.dispose()


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration for the migrations inside this package."""
    config = Config()
    config.set_main_option("script_location", "manyheads_hub:migrations")
    config.attributes["connection"] = connection
    return config


def _create_engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # sqlite3 would begin transactions on its own, and too late
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", f"busy_timeout = {BUSY_TIMEOUT_MS}", "foreign_keys = ON", "synchronous = FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine
