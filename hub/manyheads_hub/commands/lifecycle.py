"""`manyheads-hub quarantine`, `release`, `recall` and `refuse`: what people decide about heads and submissions."""

from typing import Annotated

import typer
from rich.table import Table

from manyheads_hub.commands.arguments import AsJson, Because, DryRun, Folder, Head, split_head
from manyheads_hub.commands.changing import change, say
from manyheads_shared import terminal


def quarantine(folder: Folder, head: Head, *, reason: Because, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Let nobody download a head any more, and keep it out of every later bundle. The worker publishes the next one."""
    from manyheads_hub.catalogue import lifecycle

    name, version = split_head(head)
    change(folder, lambda session, actor: lifecycle.quarantine(session, actor, name, version, reason), dry_run=dry_run)
    say(
        f"quarantined {head}; the worker publishes the next bundle",
        {"head": head, "reason": reason},
        dry_run=dry_run,
        as_json=as_json,
    )


def release(folder: Folder, head: Head, *, reason: Because, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Let a head out of quarantine, into the state it had before. The worker publishes the next bundle."""
    from manyheads_hub.catalogue import lifecycle

    name, version = split_head(head)
    change(folder, lambda session, actor: lifecycle.release(session, actor, name, version, reason), dry_run=dry_run)
    say(
        f"released {head}; the worker publishes the next bundle",
        {"head": head, "reason": reason},
        dry_run=dry_run,
        as_json=as_json,
    )


def refuse(
    folder: Folder,
    submission: Annotated[str, typer.Argument(help="The submission's id.", show_default=False)],
    *,
    reason: Because,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Refuse a submission that waits for its evaluation. Its owner is told the reason."""
    from manyheads_hub.submissions import review

    change(folder, lambda session, actor: review.refuse(session, actor, submission, reason), dry_run=dry_run)
    say(f"refused submission {submission}", {"submission": submission, "reason": reason}, dry_run=dry_run, as_json=as_json)


def recall(folder: Folder, head: Head, *, as_json: AsJson = False) -> None:
    """Tell which bundles held a head, and when each was the newest: reports that cite one of them rest on the head."""
    from manyheads_hub.catalogue.recall import build_recall
    from manyheads_hub.hub import open_hub

    name, version = split_head(head)
    with open_hub(folder) as hub, hub.database.read() as session:
        found = build_recall(session, hub.settings.name, name, version)
    if as_json:
        terminal.print_json(found.model_dump(mode="json"))
        return
    since = f" since {found.since}" if found.since else ""
    terminal.stdout.print(f"{head} is {found.state}{since}{f': {found.reason}' if found.reason else ''}", soft_wrap=True)
    if found.owner_key_revoked:
        terminal.stdout.print(
            f"its owner's key {found.owner_key[:12]} was revoked on {found.owner_key_revoked}", soft_wrap=True
        )
    table = Table("bundle", "newest from", "until", "digest")
    for span in found.bundles:
        table.add_row(str(span.sequence), span.latest_from, span.latest_until or "now", span.bundle)
    terminal.stdout.print(table if found.bundles else "no bundle ever held it")
