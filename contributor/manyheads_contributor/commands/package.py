"""`package`."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from manyheads_contributor.commands.key import PASSPHRASE_VARIABLE
from manyheads_shared import terminal
from manyheads_shared.errors import UsageError


def package(
    run: Annotated[Path, typer.Argument(help="Run folder of a finished training.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="The artifact to write, a safetensors file.")],
    version: Annotated[str, typer.Option("--version", help="Version of the primary, or of the generator.")],
    name: Annotated[str | None, typer.Option("--name", help="Primary: its name.")] = None,
    primary: Annotated[Path | None, typer.Option("--primary", help="Head: the primary it was trained on.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Head: your name at the hub.")] = None,
    level: Annotated[
        Literal["instance", "architecture"] | None,
        typer.Option("--level", help="Head: does it know one trained model, or every model of the architecture?"),
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Head: your private key, see `key new`.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON on stdout.")] = False,
) -> None:
    """Make an artifact of a finished run; for a head, sign the owner's statement beside it (FILE.statement.json).

    Example: manyheads-contributor package runs/dcgan --out dcgan.safetensors --primary primary.safetensors
    --version 1 --owner ada --level instance --key ada.pem
    """
    from manyheads_contributor.artifacts import read_artifact_file
    from manyheads_contributor.package import package_head, package_primary
    from manyheads_contributor.run import RunFolder
    from manyheads_shared.artifact import read_primary
    from manyheads_shared.keys import read_private_key
    from manyheads_shared.manifest import Generator

    folder = RunFolder(run)
    identity = folder.read().identity
    if identity.generator is None:
        if name is None:
            raise UsageError("a primary needs --name")
        packaged = package_primary(folder, out, name=name, version=version)
    else:
        if primary is None or owner is None or level is None or key is None:
            raise UsageError("a head needs --primary, --owner, --level and --key")
        generator = Generator(name=identity.generator, version=version, owner=owner, level=level)
        signer = read_private_key(key, os.environ.get(PASSPHRASE_VARIABLE))
        artifact = read_primary(read_artifact_file(primary))
        packaged = package_head(folder, artifact, out, generator=generator, signer=signer)
    if as_json:
        terminal.print_json(
            {
                "path": str(packaged.path),
                "digest": packaged.digest,
                "size_bytes": packaged.size_bytes,
                "statement": str(packaged.statement) if packaged.statement else None,
            }
        )
    else:
        terminal.stdout.print(f"{packaged.path}  {packaged.digest}  {packaged.size_bytes} bytes", soft_wrap=True)
        if packaged.statement:
            terminal.stdout.print(f"{packaged.statement}  the owner's statement", soft_wrap=True)
