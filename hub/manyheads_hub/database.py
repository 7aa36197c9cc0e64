"""The hub's database through SQLAlchemy: sessions that commit once, at the edge. Making the tables is for `migrations.run`.

SQLite and PostgreSQL differ in `engines`; from here on there is one code path. On both, one transaction writes at a time: a
writing session takes the write lock at once, so that two writers queue for it and neither fails half-way, and everything it
reads stays true until it commits. Readers go on meanwhile and see one moment (decision 0009).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from manyheads_hub.tables import REVISION
from manyheads_shared.errors import UsageError

WAIT_SECONDS = 0.2  # between two looks at whether another process still holds a lock

Verify = Callable[[], None]  # raises UnavailableError when a lock was lost: the connection that held it broke


class Server(Protocol):
    """What SQLite and PostgreSQL do differently."""

    address: str  # for people, without a password

    def connect(self) -> tuple[Engine, Engine]:
        """Return an engine whose transactions see one moment, and one whose transactions hold the write lock."""
        ...

    def try_lock(self, name: str) -> AbstractContextManager[Verify | None]:
        """Hold a lock while the block runs, among all processes on this database; None when another holds it."""
        ...

    def read_revision(self, engine: Engine) -> str | None:
        """Return the newest migration that made the tables; None where there are none.

        Raises:
            UsageError: it is no database of a hub, or of a version that we do not run on.
            UnavailableError: it does not answer.
        """
        ...


class Database:
    """A hub's database."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.reader, self.writer = server.connect()

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

    @contextmanager
    def alone(self, name: str, on_wait: Callable[[], None] = lambda: None) -> Iterator[Verify]:
        """Let one process at a time into the block of a name; whoever was killed in there holds it no longer.

        Args:
            on_wait: called now and then while another process is in it; what it raises ends the waiting.

        Returns:
            A function to call before a step that must not be taken by two.
        """
        while True:
            with self.server.try_lock(name) as verify:
                if verify is not None:
                    yield verify
                    return
            on_wait()
            time.sleep(WAIT_SECONDS)

    def check_version(self) -> None:
        """Check that the tables are those this software was written for.

        Raises:
            UsageError: no database, or another version's.
        """
        if (found := self.read_revision()) != REVISION:
            raise UsageError(f"{self.server.address}: expected tables of revision {REVISION}, got {found}; update manyheads")

    def read_revision(self) -> str:
        """Return the newest migration that made these tables.

        Raises:
            UsageError: no database, or none of a hub.
        """
        if (found := self.find_revision()) is None:
            raise UsageError(f"{self.server.address}: the database has no tables of a hub; restore it from a copy")
        return found

    def find_revision(self) -> str | None:
        """Return the newest migration that made these tables; None where there are none; see `Server.read_revision`."""
        return self.server.read_revision(self.reader)

    def close(self) -> None:
        """Close every connection."""
        self.reader.dispose()
