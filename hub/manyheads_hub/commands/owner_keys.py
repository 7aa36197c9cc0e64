"""`manyheads-hub owner-keys`: the keys that owners sign with. Those of the hub itself are `manyheads-hub keys`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from manyheads_hub.commands.arguments import AsJson, Because, DryRun, Folder
from manyheads_hub.commands.changing import change, read, say
from manyheads_shared import terminal

app = typer.Typer(help="The keys that owners sign their heads with.", no_args_is_help=True)


@app.command("list", epilog="Example: manyheads-hub owner-keys list ./hub")
def list_keys(folder: Folder, *, as_json: AsJson = False) -> None:
    """List every key that an owner enrolled, replaced and revoked ones among them."""
    from manyheads_hub.contributors import keys

    listed = read(folder, keys.list_keys)
    if as_json:
        terminal.print_json([{"owner": owner, **info.model_dump(mode="json")} for owner, info in listed])
        return
    table = Table("owner", "key", "enrolled", "replaced", "revoked", "reason")
    for owner, info in listed:
        table.add_row(owner, info.key_id, info.enrolled, info.replaced or "", info.revoked or "", info.reason or "")
    terminal.stdout.print(table if listed else "no owner is enrolled yet")


@app.command(epilog='Example: manyheads-hub owner-keys replace ./hub ada --key ada-2.pub --reason "the first was lost"')
def replace(
    folder: Folder,
    owner: Annotated[str, typer.Argument(help="The owner's name.", show_default=False)],
    *,
    key: Annotated[Path, typer.Option(help="The new public key (PEM).", show_default=False)],
    reason: Because,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give an owner another key, without the one before signing for it: you answer for who they are.

    With the one before they do it themselves: `manyheads-contributor key rotate`. Heads signed with it go on verifying.
    """
    from manyheads_hub.catalogue.lifecycle import check_reason
    from manyheads_hub.contributors import keys, service

    public_key = service.read_public_key(key)
    info = change(
        folder, lambda session, actor: keys.replace(session, actor, owner, public_key, check_reason(reason)), dry_run=dry_run
    )
    say(f"given {owner} key {info.key_id}", {"key": info.model_dump(mode="json")}, dry_run=dry_run, as_json=as_json)


@app.command(epilog='Example: manyheads-hub owner-keys revoke ./hub 1f0c… --reason "the laptop was stolen"')
def revoke(
    folder: Folder,
    key_id: Annotated[str, typer.Argument(help="The key's id, as `list` shows it.", show_default=False)],
    *,
    reason: Because,
    yank_heads: Annotated[bool, typer.Option("--yank-heads", help="Yank every listed head that it signed, too.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Revoke an owner's key: it signs nothing here from now on. Names the heads it signed; they stay unless you yank them."""
    from sqlalchemy.orm import Session

    from manyheads_hub.audit.log import Actor
    from manyheads_hub.catalogue import lifecycle
    from manyheads_hub.contributors import keys

    def do(session: Session, actor: Actor) -> tuple[list[str], list[str]]:
        keys.revoke(session, actor, key_id, lifecycle.check_reason(reason))
        heads = keys.heads_signed_by(session, key_id)
        yanked = [head for head in heads if yank_heads and head.state == "listed"]
        for head in yanked:
            lifecycle.yank(session, actor, head.generator, head.version, reason)
        return [f"{head.generator}@{head.version}" for head in heads], [f"{head.generator}@{head.version}" for head in yanked]

    signed, yanked = change(folder, do, dry_run=dry_run)
    say(
        f"revoked key {key_id[:12]}; it signed {', '.join(signed) or 'no head'}"
        + (f"; yanked {', '.join(yanked)}: the worker publishes the next bundle" if yanked else ""),
        {"key": key_id, "signed": signed, "yanked": yanked},
        dry_run=dry_run,
        as_json=as_json,
    )
