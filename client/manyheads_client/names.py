"""Names on disk, each with a number: a scan of millions of images must not keep their names in memory.

They lie in a temporary file that goes with the process, however that ends. A name is kept by a digest of 128 bits.
"""

import hashlib
import sqlite3
from types import TracebackType
from typing import Self


class Names:
    """Names and their numbers.

    Example:
        >>> with Names() as names:
        ...     names.put("a.png", 4424)
        ...     names.find("a.png")
        4424
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # "": a file of its own, unlinked, a few MB of it in memory
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE names (name BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        (count,) = self._database.execute("SELECT count(*) FROM names").fetchone()
        return int(count)

    def put(self, name: str, number: int) -> None:
        """Keep a name with a number, in place of the one it had."""
        self._database.execute("INSERT OR REPLACE INTO names VALUES (?, ?)", (_key(name), number))

    def find(self, name: str) -> int | None:
        """Return a name's number, or None."""
        row = self._database.execute("SELECT number FROM names WHERE name = ?", (_key(name),)).fetchone()
        return None if row is None else int(row[0])

    def drop(self, name: str) -> None:
        """Forget a name."""
        self._database.execute("DELETE FROM names WHERE name = ?", (_key(name),))

    def close(self) -> None:
        """Forget everything."""
        self._database.close()


def _key(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
