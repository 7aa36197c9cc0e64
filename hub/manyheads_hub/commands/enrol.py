"""`manyheads-hub enrol`: let an owner submit heads."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_hub.commands.arguments import AsJson, DryRun, Folder
from manyheads_shared import terminal


def enrol(
    folder: Folder,
    owner: Annotated[str, typer.Argument(help="The owner's name, as their heads' manifests give it.", show_default=False)],
    *,
    key: Annotated[Path, typer.Option(help="The owner's public key (PEM).", show_default=False)],
    generator: Annotated[list[str], typer.Option(help="A generator of theirs; repeat for more.", show_default=False)],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Enrol an owner and print their token, once. Enrolling again adds generators and replaces the token."""
    from manyheads_hub.contributors import service
    from manyheads_hub.hub import open_hub

    public_key = service.read_public_key(key)
    with open_hub(folder) as hub:
        if dry_run:
            with hub.database.read() as session:
                service.enrol(session, owner, public_key, generator)  # a reading session keeps nothing
            token = None
        else:
            with hub.database.write() as session:
                token = service.enrol(session, owner, public_key, generator)
    if as_json:
        terminal.print_json({"owner": owner, "generators": generator, "token": token})
    elif token is None:
        terminal.stdout.print(f"would enrol {owner} for {', '.join(generator)}")
    else:
        terminal.stderr.print(f"enrolled {owner} for {', '.join(generator)}; this token is shown once, send it by a safe way:")
        terminal.stdout.print(token, soft_wrap=True)
