"""`manyheads report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_client.commands.options import DeviceOption, ImagesOption, JsonOption, StoreOption
from manyheads_shared.errors import UsageError
from manyheads_shared.terminal import print_json, stderr, stdout

if TYPE_CHECKING:
    from manyheads_client.bundle import Bundle


def report(
    records: Annotated[Path, typer.Argument(help="A record file.", show_default=False)],
    *,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out", metavar="FILE", help="Write a report here, FILE.html or FILE.pdf. Repeatable.", show_default=False
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table here, CSV.", show_default=False)] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="The same as Parquet.", show_default=False)] = None,
    store: StoreOption = None,
    images: ImagesOption = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Render a record file at any time, from the records alone: a report, tables. It says nothing that they do not.

    The report states the file's digest, and who sealed it. Pictures are drawn only where the store holds the bundle that made
    the records and an image is at hand with the digest it had.

    Example: manyheads report scan.jsonl --out scan.html --csv scan.csv
    """
    from manyheads_client.originals import Originals
    from manyheads_client.rendering import Renderings
    from manyheads_client.sealing import describe_source

    renderings = Renderings(csv, parquet, tuple(out or ()))
    if not renderings.paths:
        raise UsageError("nothing to write: name a report with --out, or a table with --csv or --parquet")
    renderings.verify()
    if not records.is_file():
        raise UsageError(f"{records}: expected a record file, as `attribute --jsonl` writes it")
    source = describe_source(records)
    bundle = _find_bundle(records, store) if out else None
    renderings.write(records, bundle, device=device, source=source, find=Originals(images).find)
    if json:
        print_json({"records": source.records, "written": [str(path) for path in renderings.paths]})
        return
    for path in renderings.paths:
        stdout.print(f"Written: {path}", soft_wrap=True)


def _find_bundle(records: Path, store: Path | None) -> "Bundle | None":
    """The bundle for the pictures; where it is not to be had, the report goes without, and this says why."""
    from manyheads_client.errors import NoBundleError
    from manyheads_client.provenance import StoreShelf
    from manyheads_client.records import read_instruments
    from manyheads_client.store import Store, default_store

    instrument = next(read_instruments(records), None)
    if instrument is None:
        return None
    try:
        return StoreShelf(Store(store or default_store())).open(instrument.bundle)
    except NoBundleError as error:
        stderr.print(f"no pictures: {error}", soft_wrap=True)
        return None
