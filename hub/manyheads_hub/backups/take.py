"""Taking a copy while the hub goes on: the tables as they are at one moment, then every blob that they can name."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Table
from sqlalchemy.orm import Session

from manyheads_hub.backups.blob_copies import BLOBS, Progress, copy_blobs
from manyheads_hub.backups.copies import DESCRIPTION, FORMAT, Copy, TableCopy, table_file
from manyheads_hub.backups.rows import read_rows
from manyheads_hub.every_table import METADATA
from manyheads_hub.hub import Hub
from manyheads_hub.storage.directory import DirectoryStorage
from manyheads_hub.tables import REVISION
from manyheads_shared import __version__, clock
from manyheads_shared.digest import digest_file
from manyheads_shared.files import write_atomic

UNFINISHED = timedelta(days=1)  # since a file was last written to: whoever began it was killed


def take_copy(hub: Hub, backup: Path, on_blob: Progress | None = None) -> Copy:
    """Copy a hub into a backup. Blobs that an earlier copy has are not copied again; a killed copy is simply none.

    The plan: (1) rows, of one moment; (2) blobs: they are stored before rows name them, so none of those is missing; (3) the
    hub's plain files; (4) the description.

    Raises:
        DigestMismatchError: the storage changed a blob; there is no copy.
    """
    created = clock.now()
    backup.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder, kept = backup / "copies" / created.replace(":", ""), DirectoryStorage(backup)
    for part in ("copies", BLOBS):
        kept.sweep(part, datetime.now(UTC) - UNFINISHED)
    # step 1
    described = {}
    with hub.database.read() as session:
        for table in METADATA.sorted_tables:
            described[table.name] = _copy_table(session, table, kept, folder)
    # step 2
    blobs = copy_blobs(hub.storage, kept, on_blob)
    # step 3
    for path in (hub.settings.folder / "hub.toml", hub.settings.policy, hub.settings.root):
        write_atomic(folder / path.name, path.read_bytes())
    # step 4
    copy = Copy(
        format=FORMAT,
        created=created,
        hub=hub.settings.name,
        software=f"manyheads {__version__}",
        revision=REVISION,
        tables=described,
        blobs=blobs,
    )
    write_atomic(folder / DESCRIPTION, copy.model_dump_json(indent=1).encode())
    return copy


def _copy_table(session: Session, table: Table, kept: DirectoryStorage, folder: Path) -> TableCopy:
    rows = 0

    def lines() -> Iterator[bytes]:
        nonlocal rows
        for line in read_rows(session, table):
            rows += 1
            yield line + b"\n"

    path = table_file(folder, table.name)
    kept.write_stream(path.relative_to(kept.root).as_posix(), lines())
    return TableCopy(rows=rows, sha256=digest_file(path))
