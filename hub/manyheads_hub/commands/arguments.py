"""Arguments that the hub's commands share."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_shared.errors import UsageError

Folder = Annotated[Path, typer.Argument(help="The hub's folder.", show_default=False)]
Head = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="The head.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]
Because = Annotated[str, typer.Option("--reason", help="Why; it stands in the audit log.", show_default=False)]


def split_head(head: str) -> tuple[str, str]:
    """Return a head's name and version.

    Raises:
        UsageError: it is not NAME@VERSION.
    """
    name, at, version = head.partition("@")
    if not at:
        raise UsageError(f"expected NAME@VERSION, such as dcgan@1, got {head!r}")
    return name, version
