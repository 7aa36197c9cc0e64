"""`manyheads-hub backup` and `restore`."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_hub.commands.arguments import AsJson, Folder
from manyheads_hub.commands.changing import note
from manyheads_shared import terminal

Backup = Annotated[Path, typer.Argument(help="The backup's folder.", show_default=False)]


def backup(folder: Folder, out: Backup, *, as_json: AsJson = False) -> None:
    """Copy a hub while it goes on. A later copy into the same backup takes only new blobs.

    Private keys are not in it: keep FOLDER/keys apart.
    """
    from manyheads_hub.backups.take import take_copy
    from manyheads_hub.hub import open_hub

    with open_hub(folder) as hub, terminal.progress() as display:
        task = display.add_task("blobs", total=None)
        copy = take_copy(hub, out, lambda done, total: display.update(task, completed=done, total=total))
    rows = sum(table.rows for table in copy.tables.values())
    if as_json:
        terminal.print_json({"backup": str(out), "created": copy.created, "rows": rows, "blobs": copy.blobs})
        return
    terminal.stdout.print(
        f"copied {rows} rows and {copy.blobs} blobs to {out}; the keys are not in it, keep {folder}/keys apart"
    )


def restore(
    backup: Backup,
    folder: Folder,
    *,
    time: Annotated[str | None, typer.Option(help="Which copy; the newest unless told.", show_default=False)] = None,
    database: Annotated[str | None, typer.Option(help="PostgreSQL, not SQLite: postgresql://USER@HOST/DATABASE.")] = None,
    storage: Annotated[str | None, typer.Option(help="S3 instead of the folder: s3://BUCKET/PREFIX.")] = None,
    s3_endpoint: Annotated[str | None, typer.Option(help="An S3 server other than Amazon's: https://HOST:PORT.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a hub from a backup, where there is none. This is also how a hub moves to PostgreSQL or S3, or back."""
    from manyheads_hub.backups.restore import restore_copy
    from manyheads_hub.engines.address import check_database_url
    from manyheads_hub.hub import open_hub
    from manyheads_hub.storage.location import S3Location

    location = None if storage is None else S3Location.from_url(storage, endpoint=s3_endpoint)
    address = None if database is None else check_database_url(database)
    with terminal.progress() as display:
        task = display.add_task("blobs", total=None)
        copy, signed = restore_copy(
            backup,
            folder,
            time=time,
            database=address,
            storage=location,
            on_blob=lambda done, total: display.update(task, completed=done, total=total),
        )
    with open_hub(folder) as hub:
        note(hub, "hub.restored", copy.hub, copied=copy.created)
    if as_json:
        terminal.print_json({"folder": str(folder), "created": copy.created, "signed_files": len(signed)})
        return
    terminal.stdout.print(f"made the hub {copy.hub} as it was at {copy.created} in {folder}")
    terminal.stdout.print(f"next           put its keys into {folder}/keys, then: manyheads-hub keys overtake {folder}")
