"""`manyheads-hub webhooks`: who is told of what, and every message with what became of it."""

from typing import Annotated

import typer
from rich.table import Table

from manyheads_hub.commands.arguments import AsJson, Because, DryRun, Folder
from manyheads_hub.commands.changing import change, read, say
from manyheads_shared import terminal

app = typer.Typer(help="Signed messages to whoever subscribes to events.", no_args_is_help=True)

Webhook = Annotated[str, typer.Argument(help="The subscription's id, as `list` shows it.", show_default=False)]


@app.command(
    epilog="Example: manyheads-hub webhooks add ./hub https://lab.example/hook --event head.yanked --event bundle.published"
)
def add(
    folder: Folder,
    url: Annotated[str, typer.Argument(help="Where messages are posted.", show_default=False)],
    *,
    event: Annotated[list[str] | None, typer.Option(help="An event; repeat for more. All of them if not given.")] = None,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="The address may lead into the hub's own network.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Subscribe an address to events, and print the secret that its messages are signed with, once."""
    from manyheads_hub.webhooks import outbox, service

    events = event or list(outbox.EVENTS)
    row = change(
        folder, lambda session, actor: service.add(session, actor, url, events, allow_private=allow_private), dry_run=dry_run
    )
    if as_json:
        secret = None if dry_run else row.secret
        terminal.print_json({"dry_run": dry_run, "id": row.id, "url": url, "events": events, "secret": secret})
    elif dry_run:
        terminal.stdout.print(f"would subscribe {url} to {', '.join(events)}", soft_wrap=True)
    else:
        terminal.stderr.print(f"subscribed {url} as {row.id} to {', '.join(events)}; its secret is shown once:", soft_wrap=True)
        terminal.stdout.print(row.secret, soft_wrap=True)


@app.command("list", epilog="Example: manyheads-hub webhooks list ./hub")
def list_webhooks(folder: Folder, *, as_json: AsJson = False) -> None:
    """List every subscription, without its secret."""
    from manyheads_hub.webhooks import service

    rows = read(folder, service.listed)
    if as_json:
        fields = ("id", "url", "events", "allow_private", "created")
        terminal.print_json([{field: getattr(row, field) for field in fields} for row in rows])
        return
    table = Table("subscription", "address", "events", "private", "since")
    for row in rows:
        table.add_row(row.id, row.url, ", ".join(row.events), "allowed" if row.allow_private else "", row.created)
    terminal.stdout.print(table if rows else "nobody has subscribed")


@app.command(epilog='Example: manyheads-hub webhooks remove ./hub 5f0c6a1e9b2d --reason "moved"')
def remove(folder: Folder, webhook: Webhook, *, reason: Because, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """End a subscription; what waits for it is not sent."""
    from manyheads_hub.webhooks import service

    change(folder, lambda session, actor: service.remove(session, actor, webhook, reason), dry_run=dry_run)
    say(f"ended subscription {webhook}", {"id": webhook, "reason": reason}, dry_run=dry_run, as_json=as_json)


@app.command("test", epilog="Example: manyheads-hub webhooks test ./hub 5f0c6a1e9b2d")
def send_test(folder: Folder, webhook: Webhook, *, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Send a subscriber a message that tells of nothing but itself; the running hub delivers it."""
    from manyheads_hub.webhooks import service

    row = change(folder, lambda session, actor: service.test(session, actor, webhook), dry_run=dry_run)
    say(f"queued message {row.id}", {"delivery": row.id}, dry_run=dry_run, as_json=as_json)


@app.command(epilog="Example: manyheads-hub webhooks deliveries ./hub --dead")
def deliveries(
    folder: Folder,
    *,
    webhook: Annotated[str | None, typer.Option(help="Only this subscription's.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only those that were given up.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the newest hundred messages, with what became of them."""
    from manyheads_hub.webhooks import service

    rows = read(folder, lambda session: service.deliveries(session, webhook, state="dead" if dead else None))
    fields = ("id", "webhook_id", "event", "state", "attempts", "status", "error", "created")
    if as_json:
        terminal.print_json([{field: getattr(row, field) for field in fields} for row in rows])
        return
    table = Table("message", "subscription", "event", "state", "attempts", "answer", "error", "written")
    for row in rows:
        table.add_row(*("" if getattr(row, field) is None else str(getattr(row, field)) for field in fields))
    terminal.stdout.print(table if rows else "no messages")


@app.command(epilog="Example: manyheads-hub webhooks replay ./hub 9ea740e3b03c170e")
def replay(
    folder: Folder,
    message: Annotated[str, typer.Argument(help="The message's id, as `deliveries` shows it.", show_default=False)],
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send a message again, from its first attempt on; the running hub delivers it."""
    from manyheads_hub.webhooks import service

    change(folder, lambda session, actor: service.replay(session, actor, message), dry_run=dry_run)
    say(f"queued message {message} again", {"delivery": message}, dry_run=dry_run, as_json=as_json)
