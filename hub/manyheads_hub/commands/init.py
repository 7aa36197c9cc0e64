"""`manyheads-hub init`: a folder, a database, a storage, keys, a TUF repository, a policy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_hub.commands.arguments import AsJson, DryRun, Folder
from manyheads_shared import terminal
from manyheads_shared.errors import UsageError

if TYPE_CHECKING:
    from manyheads_hub.settings import Settings


def init(
    folder: Folder,
    *,
    name: Annotated[str, typer.Option(help="The hub's name, as bundles and pages show it.", show_default=False)],
    suite: Annotated[Path | None, typer.Option(help="The suite: labelled images to evaluate heads on.")] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="PostgreSQL, not SQLite: postgresql://USER@HOST/DATABASE; the password comes by PGPASSWORD or PGPASSFILE."
        ),
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="S3 instead of the folder: s3://BUCKET/PREFIX; credentials where boto3 looks for them.")
    ] = None,
    s3_endpoint: Annotated[str | None, typer.Option(help="An S3 server other than Amazon's: https://HOST:PORT.")] = None,
    s3_region: Annotated[str | None, typer.Option(help="The bucket's region.")] = None,
    presigned_downloads: Annotated[
        bool,
        typer.Option("--presigned-downloads", help="Send clients to the bucket for large files, by addresses that run out."),
    ] = False,
    root_key: Annotated[
        list[Path] | None,
        typer.Option(
            help="A maintainer's public root key, whose private half stays elsewhere. Repeatable.", show_default=False
        ),
    ] = None,
    root_threshold: Annotated[int, typer.Option(help="How many of the --root-key must sign.", min=1)] = 2,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a hub. An existing one is never overwritten.

    With --root-key the hub's root is a draft that maintainers sign with `manyheads-hub keys sign`, each on their own machine;
    `manyheads-hub keys install` then completes the hub.
    """
    from manyheads_hub.commands.suite_notes import tell_suite_notes
    from manyheads_hub.creation import check_new_hub, create_hub
    from manyheads_hub.engines.address import check_database_url
    from manyheads_hub.evaluations.policy import Policy
    from manyheads_hub.signing.ceremony import read_key
    from manyheads_hub.storage.location import S3Location

    root_keys = [read_key(path) for path in root_key or ()]
    location = None
    if storage is not None:
        location = S3Location.from_url(storage, endpoint=s3_endpoint, region=s3_region, presigned_downloads=presigned_downloads)
    elif s3_endpoint or s3_region or presigned_downloads:
        raise UsageError("--s3-endpoint, --s3-region and --presigned-downloads go with --storage s3://BUCKET")
    address = None if database is None else check_database_url(database)
    settings = check_new_hub(folder, name=name, suite=suite, database=address, storage=location)
    if suite is not None:
        tell_suite_notes(suite, Policy.new())
    if not dry_run:
        create_hub(settings, root_keys, root_threshold)
    if as_json:
        terminal.print_json({"folder": str(folder), "name": name, "root": str(settings.root), "created": not dry_run})
    elif dry_run:
        terminal.stdout.print(f"would make the hub {name} in {folder}")
    else:
        _tell(settings)


def _tell(settings: "Settings") -> None:
    """Say what is where, and what comes next."""
    folder = settings.folder
    terminal.stdout.print(f"made the hub {settings.name} in {folder}")
    if settings.root.exists():
        terminal.stdout.print(f"clients need   {settings.root}")
    else:
        terminal.stdout.print(f"to be signed   {settings.root_draft}: manyheads-hub keys sign; then keys install {folder}")
    terminal.stdout.print(f"offline keys   {settings.keys / 'offline'}: needed to publish; keep a copy elsewhere")
    terminal.stdout.print(f"the gate       {settings.policy}")
    if settings.suite is None:
        terminal.stdout.print(f"next           manyheads-hub suite {folder} DIR")
    else:
        terminal.stdout.print(f"next           manyheads-hub publish-primary {folder} PRIMARY.safetensors")
