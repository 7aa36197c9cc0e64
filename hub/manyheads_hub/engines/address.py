"""The address of a PostgreSQL database, as hub.toml and the command line have it: everything but the password."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from manyheads_shared.errors import UsageError


def check_database_url(text: Any) -> str:
    """Return the address of a PostgreSQL database.

    Raises:
        UsageError: it is none, or it holds a password.
    """
    parts = urlsplit(text) if isinstance(text, str) else None
    if parts is None or parts.scheme != "postgresql" or not parts.path.strip("/"):
        raise UsageError("database: expected an address like postgresql://USER@HOST:5432/DATABASE, got something else")
    if parts.password is not None or "password" in parse_qs(parts.query, keep_blank_values=True):
        raise UsageError(
            "database: expected an address without a password, for hub.toml is no secret; PostgreSQL's own means tell it: "
            "the variable PGPASSWORD, or a file named by PGPASSFILE"
        )
    return str(text)
