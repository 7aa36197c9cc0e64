"""`manyheads key new` and `manyheads key show`: the Ed25519 key that a laboratory seals with."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_client.commands.options import JsonOption
from manyheads_shared.passphrase import read_passphrase
from manyheads_shared.terminal import print_json, stdout

app = typer.Typer(help="Make and show the key that seals your records.", no_args_is_help=True)


@app.command("new")
def new(
    path: Annotated[Path, typer.Argument(help="Where the private key goes; the public key goes to PATH.pub.")],
    *,
    json: JsonOption = False,
) -> None:
    """Make an Ed25519 key pair: PATH stays in the laboratory, PATH.pub goes to whoever is to verify its seals.

    The private key is encrypted with the passphrase in MANYHEADS_KEY_PASSPHRASE, when that is set. Nothing is overwritten;
    for a private key without its public key, the public key is written.

    Example: manyheads key new lab.key
    """
    from manyheads_shared.keys import make_key_files

    passphrase = read_passphrase()
    made = make_key_files(path, passphrase)
    if json:
        print_json({"key_id": made.key.keyid, "private": str(path), "public": str(made.public), "encrypted": bool(passphrase)})
        return
    stdout.print(f"private key  {path}  ({'encrypted' if passphrase else 'not encrypted'}; keep it, and keep it to yourself)")
    stdout.print(f"public key   {made.public}  (for whoever verifies your seals, by a way they trust)")
    stdout.print(f"key id       {made.key.keyid}", soft_wrap=True)


@app.command("show")
def show(path: Annotated[Path, typer.Argument(help="A private or a public key file.")], *, json: JsonOption = False) -> None:
    """Show the key id and the public key of a private or public key file.

    Example: manyheads key show lab.key.pub
    """
    from manyheads_shared.keys import public_pem, read_public_half

    key = read_public_half(path, read_passphrase())
    if json:
        print_json({"key_id": key.keyid, "public": public_pem(key)})
        return
    stdout.print(f"key id  {key.keyid}", soft_wrap=True)
    stdout.print(public_pem(key), end="")
