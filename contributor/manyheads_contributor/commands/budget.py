"""`budget`: what a hub still takes from you, before you upload anything."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_shared.terminal import print_json, stdout


def budget(
    *,
    hub: Annotated[str, typer.Option(help="The hub's address.", show_default=False)],
    token_file: Annotated[Path | None, typer.Option(help="File with the hub's token; otherwise MANYHEADS_TOKEN.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show what you have used of your share at a hub: examinations on its present hidden suite, submissions, offers, bytes.

    Example: manyheads-contributor budget --hub https://hub.example --token-file token
    """
    from manyheads_contributor.credentials import read_token
    from manyheads_contributor.hub_client import HubClient

    with HubClient(hub, read_token(token_file)) as client:
        info = client.get_budget()
    if as_json:
        print_json(info.model_dump(mode="json"))
        return
    stdout.print(f"full examinations on the present suite: {info.examinations} of {info.limit}")
    stdout.print(f"submissions in 24 hours: {info.submissions.used} of {info.submissions.limit}")
    stdout.print(f"offers in 24 hours, refused ones among them: {info.offers.used} of {info.offers.limit}")
    stdout.print(
        f"bytes kept: {info.stored_bytes.used:,} of {info.stored_bytes.limit:,}; one file: {info.upload_bytes:,} at most"
    )
