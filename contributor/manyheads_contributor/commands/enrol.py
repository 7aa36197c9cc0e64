"""`enrol`: an invited owner enrols a key that they prove to hold, and gets the token to submit with."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_shared.errors import UsageError
from manyheads_shared.terminal import print_json, stderr, stdout

INVITATION_VARIABLE = "MANYHEADS_INVITATION"


def enrol(
    *,
    hub: Annotated[str, typer.Option(help="The hub's address.", show_default=False)],
    key: Annotated[Path, typer.Option(help="Your private key, as `key new` makes it.", show_default=False)],
    token_file: Annotated[Path, typer.Option(help="Where the token goes; it must not exist yet.", show_default=False)],
    invitation_file: Annotated[
        Path | None, typer.Option(help="A file with the invitation (mhi_…); without it MANYHEADS_INVITATION is read.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what the invitation is for.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout; never the token.")] = False,
) -> None:
    """Enrol your key with a hub that invited you: sign its nonce, and keep the token it answers with.

    Example: manyheads-contributor enrol --hub https://hub.example --key owner.pem --invitation-file code --token-file token
    """
    from manyheads_contributor.credentials import read_secret
    from manyheads_contributor.hub_client import HubClient
    from manyheads_shared import clock
    from manyheads_shared.files import write_atomic
    from manyheads_shared.key_proof import sign_key_proof
    from manyheads_shared.keys import PRIVATE_KEY_MODE, read_private_key
    from manyheads_shared.passphrase import read_passphrase

    if token_file.exists():
        raise UsageError(f"{token_file} exists; a token is never overwritten. Choose another path or move it away.")
    signer = read_private_key(key, read_passphrase())
    with HubClient(hub, read_secret(invitation_file, INVITATION_VARIABLE, "--invitation-file", "mhi_…")) as client:
        if not client.is_private:
            stderr.print(f"note: {client.url} is not https; the invitation and the token can be read on the way")
        offered = client.get_enrolment()
        if dry_run:
            what = {"hub": offered.hub, "owner": offered.owner, "generators": offered.generators, "expires": offered.expires}
            if as_json:
                print_json({"dry_run": True} | what)
            else:
                stdout.print(
                    f"{offered.hub} invites {offered.owner} for {', '.join(offered.generators)} until {offered.expires}"
                )
            return
        token_file.parent.mkdir(parents=True, exist_ok=True)  # before the invitation is used up
        proof = sign_key_proof(hub=offered.hub, owner=offered.owner, key=signer, nonce=offered.nonce, created=clock.now())
        enrolled = client.enrol(proof)
    write_atomic(token_file, enrolled.token.token.encode() + b"\n", mode=PRIVATE_KEY_MODE)
    if as_json:
        print_json({"dry_run": False, "token_file": str(token_file)} | enrolled.model_dump(mode="json", exclude={"token"}))
        return
    stderr.print(f"enrolled {enrolled.owner} with key {enrolled.key_id[:12]} for {', '.join(enrolled.generators)}")
    stdout.print(f"token  {token_file}  (good until {enrolled.token.info.expires}; keep it to yourself)")
