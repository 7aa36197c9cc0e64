"""A hub made again from a copy: in a new folder, and if wanted on another database or storage than it had."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from alembic import command
from sqlalchemy import JSON, Connection, MetaData, Table, delete, exists, func, insert, inspect, select

from manyheads_hub.backups.blob_copies import Progress, copy_blobs
from manyheads_hub.backups.copies import Copy, read_copy, table_file
from manyheads_hub.backups.rows import BATCH_ROWS, parse_row
from manyheads_hub.hub import Hub, build_hub
from manyheads_hub.migrations.run import alembic_config
from manyheads_hub.settings import SETTINGS_FILE, Settings
from manyheads_hub.storage.directory import DirectoryStorage
from manyheads_hub.storage.location import S3Location
from manyheads_hub.tables import REVISION
from manyheads_shared.errors import UsageError
from manyheads_shared.files import write_atomic


def restore_copy(
    backup: Path,
    folder: Path,
    *,
    time: str | None = None,
    database: str | None = None,
    storage: S3Location | None = None,
    on_blob: Progress | None = None,
) -> tuple[Copy, list[str]]:
    """Make a hub from a copy. Its keys are not in the copy: put them into FOLDER/keys, before or afterwards.

    The plan: (1) the copy is whole, and where it goes is empty; (2) blobs; (3) every row, in one transaction, on tables
    of the copy's revision, which are then brought up to date; (4) the TUF repository from the database; (5) the plain
    files, the settings last: a folder without them is no hub.

    Args:
        time: of the copy; the newest unless given.
        database: a PostgreSQL's address; SQLite in the folder unless given.
        storage: a bucket; the folder unless given.

    Returns:
        The copy, and the names of the TUF files that were written.

    Raises:
        UsageError: step 1 fails.
        DigestMismatchError: the backup's disk changed a blob.
    """
    # step 1
    source, copy = read_copy(backup, time)
    if copy.revision > REVISION:
        raise UsageError(
            f"{source}: a later version wrote this copy (tables {copy.revision}, ours {REVISION}); update manyheads"
        )
    if (folder / SETTINGS_FILE).exists():
        raise UsageError(f"{folder}: a hub is here already, and it is never overwritten; choose another folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = _settings(source, folder, database, storage)
    hub = build_hub(settings)
    try:
        with hub.database.reader.connect() as connection:
            _refuse_tables(hub, connection)
        # step 2
        copy_blobs(DirectoryStorage(backup), hub.storage, on_blob)
        # step 3
        _restore_tables(hub, source, copy)
        # step 4
        signed = hub.repository.rebuild(hub.blobs.read)
    finally:
        hub.close()
    # step 5
    for path in (settings.policy, settings.root):
        write_atomic(path, (source / path.name).read_bytes())
    settings.write()
    return copy, signed


def _settings(source: Path, folder: Path, database: str | None, storage: S3Location | None) -> Settings:
    settings = Settings.read(source)
    suite = settings.suite if settings.suite and settings.suite.is_absolute() else None
    return replace(settings, folder=folder, database=database, storage=storage, suite=suite)


def _restore_tables(hub: Hub, source: Path, copy: Copy) -> None:
    with hub.database.writer.begin() as connection:
        _refuse_tables(hub, connection)  # again: copying blobs took its time
        command.upgrade(alembic_config(connection), copy.revision)
        found = MetaData()
        found.reflect(connection)
        for table in found.sorted_tables:
            if table.name in copy.tables:
                _fill(connection, table, source)
                _go_on_counting(connection, table)
        command.upgrade(alembic_config(connection), "head")


def _refuse_tables(hub: Hub, connection: Connection) -> None:
    if inspect(connection).get_table_names():
        raise UsageError(f"{hub.database.server.address}: expected an empty database, this one has tables; make another one")


def _fill(connection: Connection, table: Table, source: Path) -> None:
    for column in table.columns:
        if isinstance(column.type, JSON):
            column.type = JSON(none_as_null=True)  # what is absent stays absent, and does not become JSON's null
    if connection.scalar(select(exists(select(table)))):
        connection.execute(delete(table))  # what a migration put there; the copy's own stands for it
    with table_file(source, table.name).open("rb") as lines:
        for batch in _batches(parse_row(table, line) for line in lines):
            connection.execute(insert(table), batch)


def _batches(rows: Iterator[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    batch: list[dict[str, object]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _go_on_counting(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows after those that came with their numbers."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
        highest = connection.scalar(select(func.max(column))) if sequence else None
        if highest is not None:
            connection.execute(select(func.setval(sequence, highest)))
