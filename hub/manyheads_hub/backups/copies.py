"""What one copy in a backup is: its description, read and checked."""

from pathlib import Path

from pydantic import ValidationError

from manyheads_shared.digest import Digest, digest_file
from manyheads_shared.document import Value, explain
from manyheads_shared.errors import UsageError

DESCRIPTION = "copy.json"
FORMAT = 1


class TableCopy(Value):
    """One table of a copy."""

    rows: int
    sha256: Digest


class Copy(Value):
    """A copy of a hub, as `copy.json` describes it."""

    format: int
    created: str
    hub: str  # name
    software: str
    revision: str  # of the tables
    tables: dict[str, TableCopy]
    blobs: int


def find_copies(backup: Path) -> list[str]:
    """The times of the whole copies in a backup, oldest first."""
    return sorted(path.parent.name for path in (backup / "copies").glob(f"*/{DESCRIPTION}"))


def read_copy(backup: Path, time: str | None = None) -> tuple[Path, Copy]:
    """Return the folder and the description of a copy, the newest unless told.

    Raises:
        UsageError: there is none, a later version wrote it, or a table of it was changed.
    """
    times = find_copies(backup)
    if not times or (time is not None and time not in times):
        there = f"there are {', '.join(times)}" if times else "there is none"
        raise UsageError(f"{backup}: expected a copy{f' of {time}' if time else ''}, {there}")
    folder = backup / "copies" / (time or times[-1])
    try:
        copy = Copy.model_validate_json((folder / DESCRIPTION).read_bytes())
    except ValidationError as error:
        raise UsageError(f"{folder / DESCRIPTION}: expected the description of a copy: {explain(error)}") from error
    if copy.format != FORMAT:
        raise UsageError(f"{folder}: expected a copy of format {FORMAT}, got {copy.format}; update manyheads")
    for name, table in copy.tables.items():
        path = table_file(folder, name)
        if not path.is_file() or digest_file(path) != table.sha256:
            raise UsageError(f"{path}: missing or changed since it was written; take an earlier copy: {', '.join(times)}")
    return folder, copy


def table_file(folder: Path, name: str) -> Path:
    """Where a table's rows lie in a copy."""
    return folder / "tables" / f"{name}.jsonl"
