"""Rows of any table as lines of JSON, and back. Pure, but for the session that rows come from."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import LargeBinary, Table, select
from sqlalchemy.orm import Session

BATCH_ROWS = 1000


def read_rows(session: Session, table: Table) -> Iterator[bytes]:
    """Every row of a table, in the order of its key; one line each, without its end."""
    query = select(table).order_by(*table.primary_key.columns)
    for row in session.execute(query, execution_options={"yield_per": BATCH_ROWS}).mappings():
        values = {column.name: _encode(column.type, row[column.name]) for column in table.columns}
        yield json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()


def parse_row(table: Table, line: bytes) -> dict[str, Any]:
    """Return the values of a line for a table as it is in the database.

    Raises:
        ValueError, KeyError: the line is no row of that table.
    """
    values = json.loads(line)
    return {name: _decode(table.columns[name].type, value) for name, value in values.items()}


def _encode(kind: Any, value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(kind, LargeBinary) and value is not None else value


def _decode(kind: Any, value: Any) -> Any:
    return base64.b64decode(value) if isinstance(kind, LargeBinary) and value is not None else value
