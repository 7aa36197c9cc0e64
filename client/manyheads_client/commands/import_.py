"""`manyheads import`."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads_client.commands.options import AcceptOwnerOption, JsonOption, RootOption, StoreOption, read_root_file
from manyheads_shared.clock import write_time
from manyheads_shared.digest import short
from manyheads_shared.terminal import print_json, progress, stderr, stdout

if TYPE_CHECKING:
    from manyheads_client.importing import Imported
    from manyheads_client.store import Store


def import_(
    file: Annotated[Path, typer.Argument(help="A pack, as `manyheads export` writes it.", show_default=False)],
    *,
    root: RootOption = None,
    store: StoreOption = None,
    accept_owner: AcceptOwnerOption = None,
    max_age: Annotated[
        int | None,
        typer.Option(
            metavar="DAYS",
            min=0,
            max=36_525,  # a century
            help="Refuse metadata of the hub that is longer past its date; 0: as strict as a pull. Default: however long.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Verify everything and change nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Verify a pack from the root down, as a pull does, and make its bundle the current one. No network.

    A pack older than what the store has seen is refused. One that is past its date is not, but this says so, and so does every
    record made with it. Whatever is refused, the store stays as it was.

    Example: manyheads import bundle.pack --root root.json

    Example: manyheads import bundle.pack --max-age 30 --dry-run
    """
    from manyheads_client.importing import import_pack
    from manyheads_client.pack import open_pack
    from manyheads_client.store import Store, default_store

    chosen = Store(store or default_store())
    with open_pack(file) as pack, progress(in_bytes=True) as display:
        task = display.add_task("verifying", total=None)
        imported = import_pack(
            chosen,
            pack,
            read_root_file(root),
            accept_owners=set(accept_owner or ()),
            max_age=None if max_age is None else timedelta(days=max_age),
            dry_run=dry_run,
            on_bytes=lambda done, total: display.update(task, completed=done, total=total),
        )
    if json:
        print_json(_as_json(chosen, file, imported, dry_run=dry_run))
    else:
        _print(chosen, imported, dry_run=dry_run)
    _state_age(imported)


def _print(store: "Store", imported: "Imported", *, dry_run: bool) -> None:
    held = imported.held
    state = ("would be at" if dry_run else "now at") if imported.is_new else "already at"
    stdout.print(f"{store.folder}: {state} bundle {held.sequence} of hub {held.hub} ({short(held.bundle)})", markup=False)
    stdout.print(
        f"pack {imported.pack}; {imported.copied} new objects, {imported.copied_bytes:,} bytes; "
        "verified from the root to the last head",
        markup=False,
    )
    if imported.new_owners:
        said = "would be remembered" if dry_run else "remembered"
        stderr.print(f"owner keys {said} for: {', '.join(imported.new_owners)}", markup=False)


def _state_age(imported: "Imported") -> None:
    """Say loudly what a laboratory without a network cannot know."""
    if not imported.overdue:
        return
    expiry = write_time(min(imported.expires["timestamp"], imported.expires["snapshot"]))
    stderr.print(
        f"warning: the hub's update metadata in this pack expired on {expiry}, {imported.overdue.days} days ago: the hub may "
        "have published newer bundles, or taken heads out, since. Every record made with this bundle will say so.",
        style="bold yellow",
        markup=False,
        soft_wrap=True,
    )


def _as_json(store: "Store", file: Path, imported: "Imported", *, dry_run: bool) -> dict[str, Any]:
    held = imported.held
    return {
        "store": str(store.folder),
        "file": str(file),
        "pack": imported.pack,
        "hub": held.hub,
        "sequence": held.sequence,
        "bundle": held.bundle,
        "new": imported.is_new,
        "dry_run": dry_run,
        "copied": imported.copied,
        "copied_bytes": imported.copied_bytes,
        "new_owners": list(imported.new_owners),
        "expires": {role: write_time(expiry) for role, expiry in imported.expires.items()},
        "overdue_days": imported.overdue.days if imported.overdue else None,
    }
