"""`manyheads-hub keys draft-root`, `sign`, `install`: root keys stay with their holders, and the root travels to them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from manyheads_hub.commands.arguments import AsJson, Folder
from manyheads_hub.commands.changing import note
from manyheads_shared import terminal
from manyheads_shared.errors import UsageError

if TYPE_CHECKING:
    from tuf.api.metadata import Metadata, Root

    from manyheads_hub.signing.tuf_files import Role

Draft = Annotated[Path, typer.Argument(help="The draft of a root.", show_default=False)]


def draft_root(
    folder: Folder,
    out: Annotated[Path, typer.Argument(help="Where the draft goes.", show_default=False)],
    *,
    add: Annotated[list[str] | None, typer.Option(help="ROLE=PUBLIC_KEY_FILE. Repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="ROLE=KEY_ID, or how it begins. Repeatable.")] = None,
    threshold: Annotated[list[str] | None, typer.Option(help="ROLE=NUMBER of keys that must sign. Repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draft the hub's next root: other keys, other thresholds, or only another year. Nothing changes before `keys install`."""
    from manyheads_hub.hub import opened
    from manyheads_hub.signing.ceremony import edit_root, read_key, write_draft

    edit = edit_root(
        [(role, read_key(Path(value))) for role, value in map(_split, add or ())],
        [_split(text) for text in remove or ()],
        [(role, _read_number(value)) for role, value in map(_split, threshold or ())],
    )
    with opened(folder) as hub:
        draft = hub.repository.draft_root(edit)
    write_draft(out, draft)
    _tell(out, draft, as_json=as_json)


def sign(
    draft: Draft,
    *,
    key: Annotated[Path, typer.Option(help="Your private root key.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read what a draft says and add your signature to it. Needs no hub: do it on the machine that holds the key."""
    from manyheads_hub.signing.ceremony import describe_root, read_draft, write_draft
    from manyheads_shared.keys import read_private_key
    from manyheads_shared.passphrase import read_passphrase

    found, signer = read_draft(draft), read_private_key(key, read_passphrase())
    for name, value in describe_root(found.signed):
        terminal.stderr.print(f"{name:<13} {value}", soft_wrap=True)
    if signer.public_key.keyid not in found.signed.roles["root"].keyids:
        terminal.stderr.print("This root does not name your key: your signature counts only if the root before it does.")
    if not yes and not typer.confirm("Sign this root?", err=True):
        raise typer.Exit(terminal.EXIT_NO)
    found.sign(signer, append=True)
    write_draft(draft, found)
    _tell(draft, found, as_json=as_json)


def install(folder: Folder, draft: Draft, *, as_json: AsJson = False) -> None:
    """Make a signed draft the hub's root. For a hub that was made with --root-key, this is what completes it."""
    from manyheads_hub.creation import complete_hub
    from manyheads_hub.hub import open_hub
    from manyheads_hub.signing.ceremony import read_draft

    found = read_draft(draft)
    with open_hub(folder) as hub:
        if hub.repository.has_root():
            signed = hub.repository.install_root(found)
        else:
            complete_hub(hub, found)
            signed = ("targets", "snapshot", "timestamp")
        note(hub, "root.installed", str(found.signed.version), keys=sorted(found.signed.roles["root"].keyids))
    if as_json:
        terminal.print_json({"root": found.signed.version, "signed": list(signed)})
        return
    terminal.stdout.print(f"root {found.signed.version} is the hub's; signed again: {', '.join(signed)}")


def _tell(path: Path, draft: "Metadata[Root]", *, as_json: bool) -> None:
    from manyheads_hub.signing.ceremony import count_signatures, describe_root

    needed, have = draft.signed.roles["root"].threshold, count_signatures(draft, draft.signed)
    if as_json:
        terminal.print_json({"draft": str(path), "root": draft.signed.version, "signatures": have, "needed": needed})
        return
    table = Table(show_header=False)
    for row in describe_root(draft.signed):
        table.add_row(*row)
    terminal.stdout.print(table)
    terminal.stdout.print(f"{path}: {have} of {needed} signatures of its own root keys")


def _split(text: str) -> "tuple[Role, str]":
    from manyheads_hub.signing.tuf_files import ROLES

    role, separator, value = text.partition("=")
    for known in ROLES:
        if role == known and separator and value:
            return known, value
    raise UsageError(f"expected ROLE=VALUE with a role of {', '.join(ROLES)}, got {text!r}")


def _read_number(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"--threshold: expected a number of keys, got {text!r}")
    return int(text)
