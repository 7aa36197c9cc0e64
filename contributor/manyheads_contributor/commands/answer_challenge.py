"""`answer-challenge ID [IMAGES]`: show a hub's ownership challenge, or answer it."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_shared.errors import UsageError
from manyheads_shared.passphrase import read_passphrase
from manyheads_shared.terminal import print_json, progress, stdout

if TYPE_CHECKING:
    from manyheads_contributor.challenge import Answer
    from manyheads_contributor.hub_client import HubClient
    from manyheads_shared.api import ChallengeInfo


def answer_challenge(
    submission_id: Annotated[str, typer.Argument(metavar="ID", help="The submission, as `submit` named it.")],
    images: Annotated[
        Path | None,
        typer.Argument(metavar="[IMAGES]", help="Folder with one image for every seed, named by it: 17.png. Without it, show."),
    ] = None,
    *,
    hub: Annotated[str, typer.Option(help="The hub's address.", show_default=False)],
    key: Annotated[Path | None, typer.Option(help="Your private key, which signs the answer.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="File with the hub's token; otherwise MANYHEADS_TOKEN.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and say what would be sent; send nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the challenge as JSON.")] = False,
) -> None:
    """Show the ownership challenge of a submission, with its seeds and deadline; or answer it with fresh images.

    Run your generator once with every seed and save each image under its seed's number. An answer is given once; one that was
    interrupted goes on when the command is run again.

    Example: manyheads-contributor answer-challenge 3f0a9c1d2b4e --hub https://hub.example --token-file token --json
    Example: manyheads-contributor answer-challenge 3f0a9c1d2b4e fresh/ --hub https://hub.example --token-file t --key ada.pem
    """
    from manyheads_contributor.challenge import build_answer, check_seeds
    from manyheads_contributor.credentials import read_token
    from manyheads_contributor.hub_client import HubClient
    from manyheads_shared.keys import read_private_key

    if images is not None and key is None:
        raise UsageError("--key: an answer is signed with your key, the one that the hub knows you by; name it")
    with HubClient(hub, read_token(token_file)) as client:
        challenge = client.get_challenge(submission_id)
        check_seeds(challenge)
        if images is not None and key is not None:
            answer = build_answer(challenge, images, read_private_key(key, read_passphrase()))
            if not dry_run:
                challenge = _send(client, challenge, answer)
    if as_json:
        print_json({"dry_run": dry_run} | challenge.model_dump(mode="json"))
    else:
        _show(challenge, answered=images is not None, dry_run=dry_run)


def _send(client: "HubClient", challenge: "ChallengeInfo", answer: "Answer") -> "ChallengeInfo":
    from manyheads_shared.api import ChallengeAnswer

    with tempfile.TemporaryDirectory() as folder, progress() as bar:
        statement = Path(folder) / "answer.json"
        statement.write_bytes(answer.statement)
        files = {answer.statement_digest: statement, **answer.files}
        task = bar.add_task("uploading", total=len(files))
        for digest, path in files.items():
            client.upload(digest, path)
            bar.advance(task)
        reply = ChallengeAnswer(statement=answer.statement_digest, images=list(answer.images))
        return client.answer_challenge(challenge.submission, reply)


def _show(challenge: "ChallengeInfo", *, answered: bool, dry_run: bool) -> None:
    stdout.print(f"challenge of submission {challenge.submission}, {challenge.generator.title}: {challenge.state}")
    stdout.print(f"nonce {challenge.nonce}, issued {challenge.issued}, answer until {challenge.deadline}", soft_wrap=True)
    if answered:
        stdout.print(f"{'would send' if dry_run else 'sent'} {len(challenge.seeds)} images and a signed statement")
        return
    stdout.print("make one image with every seed, and save each under its seed's number:")
    stdout.print(" ".join(str(seed) for seed in challenge.seeds), soft_wrap=True)
