"""SQLite through SQLAlchemy: sessions that commit once, at the edge. Making the tables is for `migrations.run`.

A writing session takes the write lock at once (BEGIN IMMEDIATE): two writers queue for it, neither fails half-way. WAL lets
readers go on meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from manyheads_hub.tables import REVISION
from manyheads_shared.errors import UsageError

BUSY_TIMEOUT_MS = 30_000  # a writer waits this long for another; ours hold the lock for milliseconds


class Database:
    """A hub's database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader = _create_engine(path)
        self.writer = self.reader.execution_options(begin="BEGIN IMMEDIATE")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment and changes nothing."""
        with Session(self.reader) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in one transaction: committed when the block ends, rolled back when it raises."""
        with Session(self.writer, expire_on_commit=False) as session, session.begin():
            yield session

    def check_version(self) -> None:
        """Check that the tables are those this software was written for.

        Raises:
            UsageError: no database, or another version's.
        """
        if (found := self.read_revision()) != REVISION:
            raise UsageError(f"{self.path}: expected tables of revision {REVISION}, got {found}; update manyheads")

    def read_revision(self) -> str:
        """Return the newest migration that made these tables.

        Raises:
            UsageError: no database, or none of a hub.
        """
        if not self.path.is_file():
            raise UsageError(f"{self.path}: no such database; the hub's folder is not whole, restore it from a copy")
        try:
            with self.reader.connect() as connection:
                return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
        except DatabaseError as error:
            raise UsageError(f"{self.path}: this is no hub's database ({error.orig}); restore it from a copy") from error

    def close(self) -> None:
        """Close every connection."""
        self.reader.dispose()


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
