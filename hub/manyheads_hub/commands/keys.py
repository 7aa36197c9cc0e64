"""`manyheads-hub keys`: which keys sign what, what expires when, and signing it again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from manyheads_shared import clock, terminal

if TYPE_CHECKING:
    from manyheads_hub.hub import Hub

app = typer.Typer(help="The hub's keys, and when their signatures expire.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The hub's folder.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.command(epilog="Example: manyheads-hub keys show ./hub")
def show(folder: Folder, *, as_json: AsJson = False) -> None:
    """List every key that signs, and whether its private half is here."""
    from manyheads_hub.signing.keyring import EVALUATION, PLANS

    with _opened(folder) as hub:
        keyring = hub.keyring
        named: dict[str, tuple[str, ...]] = {str(role): ids for role, ids in hub.repository.key_ids().items()}
    named[EVALUATION] = (keyring.evaluation_key().keyid,)
    rows: list[dict[str, Any]] = []
    for name, plan in PLANS.items():
        here = keyring.private_key_ids(name)
        rows += [
            {"name": name, "key": key, "needed": plan.threshold, "folder": plan.folder, "here": key in here}
            for key in named[name]
        ]
    if as_json:
        terminal.print_json(rows)
        return
    table = Table("signs", "key", "needed", "kept", "private key")
    for row in rows:
        of = f"{row['needed']} of {len(named[row['name']])}"
        table.add_row(row["name"], row["key"][:16], of, row["folder"], "here" if row["here"] else "away")
    terminal.stdout.print(table)


@app.command(epilog="Example: manyheads-hub keys check ./hub --within 30")
def check(
    folder: Folder,
    *,
    within: Annotated[float, typer.Option(help="Days of warning before the offline keys are needed.", min=0)] = 14.0,
    as_json: AsJson = False,
) -> None:
    """Tell when signatures expire. Exit code 1 when somebody should act.

    That is when root or targets run out within the given days, or when the running hub has not refreshed snapshot or
    timestamp although less than a quarter of their lifetime is left.
    """
    with _opened(folder) as hub:
        found = [(expiry, expiry.is_late(timedelta(days=within))) for expiry in hub.repository.check_expiry()]
    if as_json:
        terminal.print_json(
            [
                {
                    "role": expiry.role,
                    "version": expiry.version,
                    "expires": clock.write_time(expiry.expires),
                    "seconds_left": round(expiry.left.total_seconds()),
                    "offline": expiry.offline,
                    "late": late,
                }
                for expiry, late in found
            ]
        )
    else:
        table = Table("role", "version", "expires", "days left", "")
        for expiry, late in found:
            days = f"{expiry.left.total_seconds() / 86400:.1f}"
            table.add_row(expiry.role, str(expiry.version), clock.write_time(expiry.expires), days, "act" if late else "")
        terminal.stdout.print(table)
        if any(late and expiry.offline for expiry, late in found):
            terminal.stdout.print(f"Bring the offline keys and run: manyheads-hub keys refresh {folder} --all")
        if any(late and not expiry.offline for expiry, late in found):
            terminal.stdout.print(f"The hub has not refreshed. Is `serve` running? Now: manyheads-hub keys refresh {folder}")
    if any(late for _, late in found):
        raise typer.Exit(terminal.EXIT_NO)


@app.command(epilog="Example: manyheads-hub keys refresh ./hub --all")
def refresh(
    folder: Folder,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Renew root and targets too; needs the offline keys.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be signed again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Sign again what would expire: the timestamp always, the rest when half of its lifetime is over.

    The running hub does this by itself.
    """
    with _opened(folder) as hub:
        roles = (hub.repository.due_roles if dry_run else hub.repository.refresh)(everything=everything)
    if as_json:
        terminal.print_json({"dry_run": dry_run, "signed": list(roles)})
        return
    terminal.stdout.print(f"{'would sign' if dry_run else 'signed'} again: {', '.join(roles)}")


@contextmanager
def _opened(folder: Path) -> "Iterator[Hub]":
    """Open a hub as far as its keys and its TUF repository; its tables may be of any version."""
    from manyheads_hub.hub import build_hub
    from manyheads_hub.settings import Settings

    hub = build_hub(Settings.read(folder))
    try:
        yield hub
    finally:
        hub.close()
