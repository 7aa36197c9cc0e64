"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_shared.errors import UsageError

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
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
PrecisionOption = Annotated[str, typer.Option(help="auto (float32, as the thresholds), float32 or bfloat16.")]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help="The hub's root.json, as its maintainers gave it to you. Needed the first time.",
        show_default=False,
    ),
]
AcceptOwnerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-owner",
        metavar="GENERATOR",
        help="Accept a new owner key of this generator, after asking its owner. Repeatable.",
        show_default=False,
    ),
]
LaboratoryKeyOption = Annotated[
    Path,
    typer.Option("--key", envvar="MANYHEADS_KEY", help="The laboratory's private key, see `key new`.", show_default=False),
]
PublicKeyOption = Annotated[
    Path | None,
    typer.Option("--key", help="The laboratory's key, as it gave it to you: its PATH.pub.", show_default=False),
]
ImagesOption = Annotated[
    Path | None,
    typer.Option("--images", metavar="FOLDER", help="Where the images lie; found by digest.", show_default=False),
]
CaseOption = Annotated[str | None, typer.Option("--case", metavar="ID", help="The case it is for.", show_default=False)]
ExaminerOption = Annotated[str | None, typer.Option("--examiner", metavar="NAME", help="Who examines.", show_default=False)]
LaboratoryOption = Annotated[
    str | None, typer.Option("--laboratory", metavar="NAME", help="For which laboratory.", show_default=False)
]


def read_root_file(path: Path | None) -> bytes | None:
    """Return the root that `--root` names.

    Raises:
        UsageError: it cannot be read.
    """
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"--root {path}: cannot be read: {error.strerror or error}") from error
