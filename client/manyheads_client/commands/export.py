"""`manyheads export`."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_client.commands.options import JsonOption, StoreOption
from manyheads_shared.digest import short
from manyheads_shared.terminal import print_json, progress, stdout


def export(
    file: Annotated[Path, typer.Argument(help="The pack to write; a file that is there is replaced.", show_default=False)],
    *,
    bundle: Annotated[
        int | None,
        typer.Option(
            metavar="SEQUENCE", help="Number of an earlier bundle of this store. Default: the current one.", show_default=False
        ),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write a bundle and all it takes to verify it as one file, for a laboratory without a network.

    Nothing in the file is secret, and nothing in it is trusted on the other side: `manyheads import` verifies all of it from
    the hub's root.json, which travels by another way. The same bundle gives the same bytes.

    Example: manyheads export bundle.pack

    Example: manyheads export bundle-7.pack --bundle 7
    """
    from manyheads_client.exporting import export_bundle
    from manyheads_client.store import Store, default_store

    chosen = Store(store or default_store())
    with progress(in_bytes=True) as display:
        task = display.add_task("writing", total=None)
        exported = export_bundle(
            chosen, file, bundle, on_bytes=lambda done, total: display.update(task, completed=done, total=total)
        )
    held = exported.held
    if json:
        print_json(
            {
                "file": str(file),
                "pack": exported.pack,
                "size_bytes": exported.size_bytes,
                "objects": exported.object_count,
                "store": str(chosen.folder),
                "hub": held.hub,
                "sequence": held.sequence,
                "bundle": held.bundle,
            }
        )
        return
    stdout.print(
        f"{file}: bundle {held.sequence} of hub {held.hub} ({short(held.bundle)}), {exported.object_count} objects, "
        f"{exported.size_bytes:,} bytes",
        markup=False,
    )
    stdout.print(f"pack {exported.pack}; `manyheads import` prints the same", markup=False)
