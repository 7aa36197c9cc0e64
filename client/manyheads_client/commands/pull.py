"""`manyheads pull`."""

from typing import Annotated

import typer

from manyheads_client.commands.options import AcceptOwnerOption, JsonOption, RootOption, StoreOption, read_root_file
from manyheads_shared.digest import short
from manyheads_shared.terminal import print_json, progress, stderr, stdout


def pull(
    url: Annotated[
        str | None, typer.Argument(help="Address of the hub. Default: the one of the last pull.", show_default=False)
    ] = None,
    *,
    root: RootOption = None,
    store: StoreOption = None,
    accept_owner: AcceptOwnerOption = None,
    json: JsonOption = False,
) -> None:
    """Fetch a hub's newest bundle, verify it, and make it the current one.

    Only what is new is fetched; an interrupted pull goes on where it stopped. Whatever is refused, the store stays as it was.

    Example: manyheads pull https://hub.example --root root.json
    """
    from manyheads_client.fetch import HttpFetcher
    from manyheads_client.store import Store, default_store
    from manyheads_client.update import pull as pull_bundle

    chosen = Store(store or default_store())
    with progress() as display:
        task = display.add_task("fetching", total=None)
        pulled = pull_bundle(
            chosen,
            url,
            read_root_file(root),
            HttpFetcher(),
            accept_owners=set(accept_owner or ()),
            on_bytes=lambda done, total: display.update(task, completed=done, total=total),
        )
    held = pulled.held
    if json:
        print_json(
            {
                "store": str(chosen.folder),
                "hub": held.hub,
                "url": held.url,
                "sequence": held.sequence,
                "bundle": held.bundle,
                "new": pulled.is_new,
                "fetched": pulled.fetched,
                "fetched_bytes": pulled.fetched_bytes,
                "new_owners": list(pulled.new_owners),
            }
        )
        return
    state = "now at" if pulled.is_new else "already at"
    stdout.print(f"{chosen.folder}: {state} bundle {held.sequence} of hub {held.hub} ({short(held.bundle)})", markup=False)
    stdout.print(
        f"fetched {pulled.fetched} new objects, {pulled.fetched_bytes:,} bytes; verified from the root to the last head"
    )
    if pulled.new_owners:
        stderr.print(f"owner keys remembered for: {', '.join(pulled.new_owners)}", markup=False)
