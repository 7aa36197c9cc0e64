"""`key new`, `key show` and `key rotate`: the Ed25519 key that signs an owner's statements."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_shared.errors import UsageError
from manyheads_shared.passphrase import read_passphrase
from manyheads_shared.terminal import print_json, stderr, stdout

app = typer.Typer(help="Make and show the key that signs your heads.", no_args_is_help=True)


@app.command("new")
def new(
    path: Annotated[Path, typer.Argument(help="Where the private key goes; the public key goes to PATH.pub.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the key id and paths as JSON.")] = False,
) -> None:
    """Make an Ed25519 key pair: PATH stays with you, PATH.pub goes to the hub's maintainer.

    The private key is encrypted with the passphrase in MANYHEADS_KEY_PASSPHRASE, when that is set. Nothing is overwritten;
    for a private key without its public key, the public key is written.

    Example: manyheads-contributor key new owner.pem
    """
    from manyheads_shared.keys import make_key_files

    passphrase = read_passphrase()
    made = make_key_files(path, passphrase)
    if as_json:
        print_json({"key_id": made.key.keyid, "private": str(path), "public": str(made.public), "encrypted": bool(passphrase)})
        return
    stdout.print(f"private key  {path}  ({'encrypted' if passphrase else 'not encrypted'}; keep it, and keep it to yourself)")
    stdout.print(f"public key   {made.public}  (for the hub's maintainer: manyheads-hub enrol)")
    stdout.print(f"key id       {made.key.keyid}", soft_wrap=True)


@app.command("show")
def show(
    path: Annotated[Path, typer.Argument(help="A private or a public key file.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the key id and the public key as JSON.")] = False,
) -> None:
    """Show the key id and the public key of a private or public key file.

    Example: manyheads-contributor key show owner.pem
    """
    from manyheads_shared.keys import public_pem, read_public_half

    key = read_public_half(path, read_passphrase())
    if as_json:
        print_json({"key_id": key.keyid, "public": public_pem(key)})
        return
    stdout.print(f"key id  {key.keyid}", soft_wrap=True)
    stdout.print(public_pem(key), end="")


@app.command("rotate")
def rotate(
    old: Annotated[Path, typer.Argument(help="Your present private key, the one the hub knows.", show_default=False)],
    new_key: Annotated[Path, typer.Argument(metavar="NEW", help="Your next private key.", show_default=False)],
    *,
    hub: Annotated[str, typer.Option(help="The hub's address.", show_default=False)],
    token_file: Annotated[Path | None, typer.Option(help="A file with your token; without it MANYHEADS_TOKEN is read.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check both keys and the token.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the new key as JSON.")] = False,
) -> None:
    """Replace your key at a hub: the new one and the present one sign for it. Heads signed before go on verifying.

    Without the present key, ask the hub's maintainer (`manyheads-hub owner-keys replace`). Both keys are read with the
    passphrase in MANYHEADS_KEY_PASSPHRASE, when that is set.

    Example: manyheads-contributor key rotate owner.pem owner-2.pem --hub https://hub.example --token-file token
    """
    from manyheads_contributor.credentials import read_token
    from manyheads_contributor.hub_client import HubClient
    from manyheads_shared import clock
    from manyheads_shared.key_proof import sign_key_proof
    from manyheads_shared.keys import read_private_key

    passphrase = read_passphrase()
    before, after = read_private_key(old, passphrase), read_private_key(new_key, passphrase)
    with HubClient(hub, read_token(token_file)) as client:
        if not client.is_private:
            stderr.print(f"note: {client.url} is not https; the token can be read on the way")
        account = client.get_account()
        if account.key_id != before.public_key.keyid:
            raise UsageError(
                f"{old} is key {before.public_key.keyid[:12]}, {account.hub} knows {account.name} by "
                f"{(account.key_id or 'none')[:12]}; name the key that it knows"
            )
        proof = sign_key_proof(hub=account.hub, owner=account.name, key=after, replaces=before, created=clock.now())
        key_id = after.public_key.keyid if dry_run else client.rotate_key(proof).key_id
    if as_json:
        print_json({"dry_run": dry_run, "hub": account.hub, "owner": account.name, "key_id": key_id})
        return
    stdout.print(f"{'would make' if dry_run else 'made'} {key_id} the key of {account.name} at {account.hub}", soft_wrap=True)
