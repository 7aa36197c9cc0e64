"""A second copy of every signed file that a client may still ask for, in the database: `rebuild` writes them out again.

Storage and database fail apart from each other. Signatures by offline keys cannot be made again without their holders;
the bytes kept here need no key.
"""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import delete, select

from manyheads_hub.database import Database
from manyheads_hub.tables import SignedFileRow
from manyheads_shared import clock


class Ledger(Protocol):
    """Where signed files are kept beside the storage."""

    def record(self, role: str, version: int, name: str, data: bytes) -> None:
        """Keep a file's bytes, in place of earlier ones of that name."""
        ...

    def names(self) -> set[str]:
        """The names of the files that are kept."""
        ...

    def read(self, role: str) -> Sequence[tuple[str, bytes]]:
        """A role's files by name, oldest version first."""
        ...

    def forget_before(self, role: str, version: int) -> None:
        """Drop a role's files of earlier versions: no client asks for them any more."""
        ...


class DatabaseLedger:
    """A ledger in the hub's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, role: str, version: int, name: str, data: bytes) -> None:
        """See `Ledger.record`."""
        with self._database.write() as session:
            session.merge(SignedFileRow(name=name, role=role, version=version, data=data, written=clock.now()))

    def names(self) -> set[str]:
        """See `Ledger.names`."""
        with self._database.read() as session:
            return set(session.scalars(select(SignedFileRow.name)))

    def read(self, role: str) -> Sequence[tuple[str, bytes]]:
        """See `Ledger.read`."""
        query = select(SignedFileRow).where(SignedFileRow.role == role).order_by(SignedFileRow.version)
        with self._database.read() as session:
            return [(row.name, row.data) for row in session.scalars(query)]

    def forget_before(self, role: str, version: int) -> None:
        """See `Ledger.forget_before`."""
        with self._database.write() as session:
            session.execute(delete(SignedFileRow).where(SignedFileRow.role == role, SignedFileRow.version < version))
