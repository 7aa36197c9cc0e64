"""`manyheads-hub enrol` and `invite`: let an owner submit heads."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_hub.commands.arguments import AsJson, DryRun, Folder
from manyheads_shared import terminal

Owner = Annotated[str, typer.Argument(help="The owner's name, as their heads' manifests give it.", show_default=False)]
Generators = Annotated[
    list[str], typer.Option("--generator", help="A generator of theirs; repeat for more.", show_default=False)
]


def enrol(
    folder: Folder,
    owner: Owner,
    *,
    key: Annotated[Path, typer.Option(help="The owner's public key (PEM).", show_default=False)],
    generator: Generators,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Enrol an owner and print their token, once. Enrolling again adds generators and replaces the token.

    That the owner holds the private key is taken on trust here; `invite` has them prove it.
    """
    from manyheads_hub.audit.log import folder_actor
    from manyheads_hub.contributors import service
    from manyheads_hub.hub import open_hub

    public_key = service.read_public_key(key)
    token: str | None
    with open_hub(folder) as hub, hub.database.write() as session:
        token = service.enrol(session, folder_actor(), owner, public_key, generator).token
        if dry_run:
            token = None
            session.rollback()
    if as_json:
        terminal.print_json({"owner": owner, "generators": generator, "token": token})
    elif token is None:
        terminal.stdout.print(f"would enrol {owner} for {', '.join(generator)}")
    else:
        terminal.stderr.print(f"enrolled {owner} for {', '.join(generator)}; this token is shown once, send it by a safe way:")
        terminal.stdout.print(token, soft_wrap=True)


def invite(
    folder: Folder,
    owner: Owner,
    *,
    generator: Generators,
    days: Annotated[int, typer.Option(help="How long the invitation is good for.", min=1, max=90)] = 7,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Invite an owner to enrol a key that they prove to hold, and print the code for it, once.

    The owner types `manyheads-contributor enrol`, and gets their token in return.
    """
    from manyheads_hub.audit.log import folder_actor
    from manyheads_hub.contributors import invitations
    from manyheads_hub.hub import open_hub

    code: str | None
    with open_hub(folder) as hub, hub.database.write() as session:
        code = invitations.invite(session, folder_actor(), owner, generator, days=days)
        if dry_run:
            code = None
            session.rollback()
    if as_json:
        terminal.print_json({"owner": owner, "generators": generator, "invitation": code})
    elif code is None:
        terminal.stdout.print(f"would invite {owner} for {', '.join(generator)}")
    else:
        terminal.stderr.print(f"invited {owner} for {', '.join(generator)}; this code is shown once, send it by a safe way:")
        terminal.stdout.print(code, soft_wrap=True)
