"""`manyheads-hub accounts`: people of this hub beside the owners of generators, who are enrolled."""

from typing import Annotated, cast

import typer
from rich.table import Table

from manyheads_hub.commands.arguments import AsJson, Because, DryRun, Folder
from manyheads_hub.commands.changing import change, read, say
from manyheads_shared import terminal

app = typer.Typer(help="The people of this hub: reviewers, maintainers, readers, owners.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The account's name.", show_default=False)]
STAFF = ("reviewer", "maintainer", "reader")


@app.command(epilog="Example: manyheads-hub accounts add ./hub grace --role reviewer")
def add(
    folder: Folder,
    name: Name,
    *,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(STAFF)}.", show_default=False)],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Open an account. It can do nothing before a token is issued to it; owners are enrolled or invited instead."""
    from manyheads_hub.accounts import service
    from manyheads_shared.accounts import Role
    from manyheads_shared.errors import UsageError

    if role not in STAFF:
        raise UsageError(f"--role: expected one of {', '.join(STAFF)}, got {role!r}; owners are enrolled or invited")
    change(folder, lambda session, actor: service.open_account(session, actor, name, cast("Role", role)), dry_run=dry_run)
    say(f"opened the account {name}, {role}", {"name": name, "role": role}, dry_run=dry_run, as_json=as_json)


@app.command("list", epilog="Example: manyheads-hub accounts list ./hub")
def list_accounts(folder: Folder, *, as_json: AsJson = False) -> None:
    """List every account, closed ones among them: a name is never given twice."""
    from manyheads_hub.accounts import service

    rows = read(folder, service.list_accounts)
    fields = ("name", "role", "opened", "closed", "reason")
    if as_json:
        terminal.print_json([{field: getattr(row, field) for field in fields} for row in rows])
        return
    table = Table(*fields)
    for row in rows:
        table.add_row(*(getattr(row, field) or "" for field in fields))
    terminal.stdout.print(table if rows else "no accounts yet")


@app.command(epilog='Example: manyheads-hub accounts close ./hub grace --reason "left the laboratory"')
def close(folder: Folder, name: Name, *, reason: Because, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Close an account: its tokens open nothing any more. Its name, generators and heads stay as they are."""
    from manyheads_hub.accounts import service
    from manyheads_hub.catalogue.lifecycle import check_reason

    change(folder, lambda session, actor: service.close_account(session, actor, name, check_reason(reason)), dry_run=dry_run)
    say(f"closed the account {name}", {"name": name, "reason": reason}, dry_run=dry_run, as_json=as_json)
