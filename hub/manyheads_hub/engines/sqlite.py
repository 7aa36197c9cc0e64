"""SQLite in one file (WAL): the hub that needs no configuration. All its processes run on one machine."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from manyheads_hub.database import Verify
from manyheads_shared.errors import UsageError

BUSY_TIMEOUT_MS = 30_000  # a writer waits this long for another; ours hold the lock for milliseconds


class SqliteServer:
    """See `Server`. Locks are files beside the database."""

    def __init__(self, path: Path) -> None:
        self.path, self.address = path, str(path)

    def connect(self) -> tuple[Engine, Engine]:
        """See `Server.connect`: the write lock is SQLite's own, taken at once (BEGIN IMMEDIATE)."""
        reader = create_engine(f"sqlite:///{self.path}")
        event.listen(reader, "connect", _configure)
        event.listen(reader, "begin", _begin)
        return reader, reader.execution_options(begin="BEGIN IMMEDIATE")

    @contextmanager
    def try_lock(self, name: str) -> Iterator[Verify | None]:
        """See `Server.try_lock`."""
        with self.path.with_name(f"{name}.lock").open("w") as lock:
            yield (lambda: None) if _try_lock(lock) else None

    def read_revision(self, engine: Engine) -> str | None:
        """See `Server.read_revision`."""
        if not self.path.is_file():
            raise UsageError(f"{self.path}: no such database; the hub's folder is not whole, restore it from a copy")
        try:
            with engine.connect() as connection:
                return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
        except DatabaseError as error:
            raise UsageError(f"{self.path}: this is no hub's database ({error.orig}); restore it from a copy") from error


def _configure(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # sqlite3 would begin transactions on its own, and too late
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", f"busy_timeout = {BUSY_TIMEOUT_MS}", "foreign_keys = ON", "synchronous = FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
