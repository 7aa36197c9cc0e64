"""`manyheads-hub init`: a folder, a database, keys, a TUF repository, a policy."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_hub.commands.arguments import AsJson, DryRun, Folder
from manyheads_shared import terminal


def init(
    folder: Folder,
    *,
    name: Annotated[str, typer.Option(help="The hub's name, as bundles and pages show it.", show_default=False)],
    suite: Annotated[Path | None, typer.Option(help="The suite: labelled images to evaluate heads on.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a hub. An existing one is never overwritten."""
    from manyheads_hub.commands.suite_notes import tell_suite_notes
    from manyheads_hub.creation import check_new_hub, create_hub
    from manyheads_hub.evaluations.policy import Policy

    settings = check_new_hub(folder, name=name, suite=suite)
    if suite is not None:
        tell_suite_notes(suite, Policy.new())
    if not dry_run:
        create_hub(settings)
    if as_json:
        terminal.print_json({"folder": str(folder), "name": name, "root": str(settings.root), "created": not dry_run})
        return
    if dry_run:
        terminal.stdout.print(f"would make the hub {name} in {folder}")
        return
    terminal.stdout.print(f"made the hub {name} in {folder}")
    terminal.stdout.print(f"clients need   {settings.root}")
    terminal.stdout.print(f"offline keys   {settings.keys / 'offline'}: needed to publish; keep a copy elsewhere")
    terminal.stdout.print(f"the gate       {settings.policy}")
    if suite is None:
        terminal.stdout.print(f"next           manyheads-hub suite {folder} DIR")
    else:
        terminal.stdout.print(f"next           manyheads-hub publish-primary {folder} PRIMARY.safetensors")
