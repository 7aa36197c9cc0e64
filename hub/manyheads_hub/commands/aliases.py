"""`manyheads-hub aliases`: names for bundles, and where they pointed at any time."""

from typing import Annotated

import typer
from rich.table import Table

from manyheads_hub.commands.arguments import AsJson, Because, DryRun, Folder
from manyheads_hub.commands.changing import change, read, say
from manyheads_shared import terminal

app = typer.Typer(help="Names for bundles: `latest`, which moves by itself, and your own.", no_args_is_help=True)

Alias = Annotated[str, typer.Argument(help="The alias's name.", show_default=False)]


@app.command("list", epilog="Example: manyheads-hub aliases list ./hub")
def list_aliases(folder: Folder, *, as_json: AsJson = False) -> None:
    """List every alias and the bundle it points to."""
    from manyheads_hub.bundles import aliases

    listed = read(folder, aliases.list_aliases)
    if as_json:
        terminal.print_json([alias.model_dump(mode="json") for alias in listed])
        return
    table = Table("alias", "bundle", "since", "reason")
    for alias in listed:
        table.add_row(alias.alias, str(alias.bundle.sequence), alias.since, alias.reason or "")
    terminal.stdout.print(table if listed else "no bundle is published yet")


@app.command(epilog='Example: manyheads-hub aliases move ./hub court-2027 12 --reason "validated by the laboratory"')
def move(
    folder: Folder,
    alias: Alias,
    bundle: Annotated[
        int | None, typer.Argument(help="The bundle's number; none lets it point nowhere.", show_default=False)
    ] = None,
    *,
    reason: Because,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let an alias point to another bundle. Where it pointed before stays in its history."""
    from manyheads_hub.bundles import aliases

    change(folder, lambda session, actor: aliases.move(session, actor, alias, bundle, reason), dry_run=dry_run)
    to = f"bundle {bundle}" if bundle else "nothing"
    say(f"moved {alias} to {to}", {"alias": alias, "bundle": bundle, "reason": reason}, dry_run=dry_run, as_json=as_json)


@app.command(epilog="Example: manyheads-hub aliases history ./hub latest")
def history(folder: Folder, alias: Alias, *, as_json: AsJson = False) -> None:
    """Show every move of an alias, newest first."""
    from manyheads_hub.bundles import aliases

    moves = read(folder, lambda session: aliases.history(session, alias))
    if as_json:
        terminal.print_json([move.model_dump(mode="json") for move in moves])
        return
    table = Table("from", "bundle", "reason")
    for made in moves:
        table.add_row(made.moved, "" if made.sequence is None else str(made.sequence), made.reason or "")
    terminal.stdout.print(table if moves else f"{alias} never pointed to a bundle")
