"""`manyheads-hub keys`: which keys sign what, what expires when, and signing it again."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from manyheads_hub.commands import ceremony
from manyheads_hub.commands.changing import note
from manyheads_shared import clock, terminal

app = typer.Typer(help="The hub's keys, and when their signatures expire.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The hub's folder.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.command(epilog="Example: manyheads-hub keys show ./hub")
def show(folder: Folder, *, as_json: AsJson = False) -> None:
    """List every key that signs, and whether its private half is here."""
    from manyheads_hub.hub import opened
    from manyheads_hub.signing.keyring import EVALUATION, PLANS

    with opened(folder) as hub:
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
    from manyheads_hub.hub import opened

    with opened(folder) as hub:
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
    from manyheads_hub.hub import opened

    with opened(folder) as hub:
        roles = (hub.repository.due_roles if dry_run else hub.repository.refresh)(everything=everything)
    if as_json:
        terminal.print_json({"dry_run": dry_run, "signed": list(roles)})
        return
    terminal.stdout.print(f"{'would sign' if dry_run else 'signed'} again: {', '.join(roles)}")


@app.command(epilog="Example: manyheads-hub keys rotate ./hub timestamp")
def rotate(
    folder: Folder,
    role: Annotated[str, typer.Argument(help="root, targets, snapshot, timestamp or evaluation.", show_default=False)],
    *,
    key: Annotated[
        str | None, typer.Option(help="The id of the key to replace, or how it begins; the oldest unless told.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replace one key by a new one, made here. Needs root keys; clients notice nothing.

    A new evaluation key signs the hub's statements on the listed heads when the next bundle is published.
    """
    from manyheads_hub.hub import open_hub
    from manyheads_hub.signing.keyring import EVALUATION
    from manyheads_hub.signing.rotation import find_role
    from manyheads_hub.signing.rotation import rotate as rotate_key

    with open_hub(folder) as hub:
        if role == EVALUATION:
            removed, added = hub.keyring.evaluation_key().keyid, hub.keyring.add(EVALUATION).keyid
        else:
            rotation = rotate_key(hub.repository, hub.keyring, find_role(role), key)
            removed, added = rotation.removed, rotation.added
        note(hub, "role.rotated", role, removed=removed, added=added)
    if as_json:
        terminal.print_json({"role": role, "removed": removed, "added": added})
        return
    if role == EVALUATION:
        terminal.stdout.print(f"evaluation: {added[:16]} signs from now on; keep {removed[:16]} until the next bundle is out")
        terminal.stdout.print(f"next: manyheads-hub publish-bundle {folder}")
    else:
        terminal.stdout.print(f"{role}: {added[:16]} signs now, {removed[:16]} no more; take its private file off the machine")


@app.command(epilog="Example: manyheads-hub keys overtake ./hub")
def overtake(folder: Folder, *, as_json: AsJson = False) -> None:
    """After restoring an older copy: sign under versions above all that clients can have seen. Needs the targets keys.

    Without it, clients that saw the lost hub later than the copy refuse the restored one.
    """
    from manyheads_hub.hub import open_hub

    with open_hub(folder) as hub:
        versions = hub.repository.overtake()
        note(hub, "hub.overtaken", hub.settings.name, **versions)
    if as_json:
        terminal.print_json({"signed": versions})
        return
    terminal.stdout.print("signed targets, snapshot and timestamp; clients that know the lost hub go on with this one")


@app.command(epilog="Example: manyheads-hub keys rebuild ./hub")
def rebuild(folder: Folder, *, as_json: AsJson = False) -> None:
    """Write the TUF repository out again from the database and the blobs, byte for byte. Needs no private key."""
    from manyheads_hub.hub import opened

    with opened(folder) as hub:
        restored = hub.repository.rebuild(hub.blobs.read)
    if as_json:
        terminal.print_json({"restored": restored})
        return
    terminal.stdout.print(f"restored {len(restored)} files" if restored else "nothing was missing")


for _name, _command, _example in (
    ("draft-root", ceremony.draft_root, "draft-root ./hub next-root.json --add root=carol.pub --remove root=1f2e3d"),
    ("sign", ceremony.sign, "sign next-root.json --key /media/stick/root.pem"),
    ("install", ceremony.install, "install ./hub next-root.json"),
):
    app.command(_name, epilog=f"Example: manyheads-hub keys {_example}")(_command)
