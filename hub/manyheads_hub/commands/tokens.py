"""`manyheads-hub tokens`: issued, listed, revoked."""

from typing import Annotated, cast

import typer
from rich.table import Table

from manyheads_hub.commands.arguments import AsJson, Because, DryRun, Folder
from manyheads_hub.commands.changing import change, read, say
from manyheads_shared import terminal

app = typer.Typer(help="Tokens: who may do what, and until when.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(help="The account's name.", show_default=False)]


@app.command(epilog="Example: manyheads-hub tokens issue ./hub ada --label ci --scope submit --generator dcgan --days 30")
def issue(
    folder: Folder,
    account: Account,
    *,
    label: Annotated[str, typer.Option(help="What its holder will know it by.", show_default=False)],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, submit, account, review, audit or admin; repeat. All that the role may hold if not given."),
    ] = None,
    generator: Annotated[list[str] | None, typer.Option(help="Only good for this generator; repeat for more.")] = None,
    days: Annotated[int, typer.Option(help="Days until it expires; 365 at most.", min=1, max=365)] = 90,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Issue a token and print it, once."""
    from manyheads_hub.accounts import service, tokens
    from manyheads_hub.accounts.roles import SCOPES
    from manyheads_shared.accounts import Scope
    from manyheads_shared.errors import UsageError

    if unknown := sorted(set(scope or []) - set(SCOPES)):
        raise UsageError(f"--scope: expected one of {', '.join(SCOPES)}, got {unknown[0]!r}")
    scopes = cast("list[Scope] | None", scope or None)
    issued = change(
        folder,
        lambda session, actor: tokens.issue_token(
            session, actor, service.get(session, account), label=label, scopes=scopes, generators=generator or None, days=days
        ),
        dry_run=dry_run,
    )
    info, token = issued.info.model_dump(mode="json"), None if dry_run else issued.token
    what = f"{account} a token for {', '.join(issued.info.scopes)} until {issued.info.expires}"
    if as_json:
        terminal.print_json({"dry_run": dry_run, "account": account, "token": token, "info": info})
    elif token is None:
        terminal.stdout.print(f"would issue {what}", soft_wrap=True)
    else:
        terminal.stderr.print(f"issued {what}; it is shown once, send it by a safe way:", soft_wrap=True)
        terminal.stdout.print(token, soft_wrap=True)


@app.command("list", epilog="Example: manyheads-hub tokens list ./hub --account ada")
def list_tokens(
    folder: Folder,
    *,
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List tokens, newest first: what they may, when they were last used, until when they are good. Never the tokens."""
    from manyheads_hub.accounts import service, tokens

    listed = read(
        folder, lambda session: tokens.list_tokens(session, service.get(session, account).id if account is not None else None)
    )
    if as_json:
        terminal.print_json([{"account": name, **info.model_dump(mode="json")} for name, info in listed])
        return
    table = Table("token", "account", "label", "scopes", "generators", "last used", "until")
    for name, info in listed:
        until = f"revoked {info.revoked}: {info.reason}" if info.revoked else info.expires
        limits = ", ".join(info.generators or [])
        table.add_row(str(info.id), name, info.label, ", ".join(info.scopes), limits, info.last_used or "never", until)
    terminal.stdout.print(table if listed else "no tokens yet")


@app.command(epilog='Example: manyheads-hub tokens revoke ./hub 7 --reason "it was in a log"')
def revoke(
    folder: Folder,
    token: Annotated[int, typer.Argument(help="The token's number, as `list` shows it.", show_default=False)],
    *,
    reason: Because,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Revoke a token: it opens nothing from this moment, nor do the browsers signed in with it."""
    from manyheads_hub.accounts import tokens
    from manyheads_hub.catalogue.lifecycle import check_reason

    info = change(
        folder, lambda session, actor: tokens.revoke_token(session, actor, token, check_reason(reason)), dry_run=dry_run
    )
    say(f"revoked token {token}, {info.label}", {"token": info.model_dump(mode="json")}, dry_run=dry_run, as_json=as_json)
