"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        envvar="MANYHEADS_STORE",
        help="Folder of the store. Default: `manyheads` in the XDG data folder.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines, and nothing else, on stdout.")]
