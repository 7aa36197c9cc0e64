"""`package`, and the options and the answer it shares with `import-keras`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import ValidationError

from manyheads_shared import terminal
from manyheads_shared.document import explain
from manyheads_shared.errors import UsageError
from manyheads_shared.passphrase import read_passphrase

if TYPE_CHECKING:
    from manyheads_contributor.package import Packaged
    from manyheads_shared.manifest import Generator

OutOption = Annotated[Path, typer.Option("--out", help="The artifact to write, a safetensors file.")]
VersionOption = Annotated[str, typer.Option("--version", help="Version of the primary, or of the generator.")]
NameOption = Annotated[str | None, typer.Option("--name", help="Primary: its name.")]
PrimaryOption = Annotated[Path | None, typer.Option("--primary", help="Head: the primary it was trained on.")]
OwnerOption = Annotated[str | None, typer.Option("--owner", help="Head: your name at the hub.")]
LevelOption = Annotated[
    Literal["instance", "architecture"] | None,
    typer.Option("--level", help="Head: does it know one trained model, or every model of the architecture?"),
]
KeyOption = Annotated[Path | None, typer.Option("--key", help="Head: your private key, see `key new`.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print what was written as JSON on stdout.")]


def package(
    run: Annotated[Path, typer.Argument(help="Run folder of a finished training.")],
    *,
    out: OutOption,
    version: VersionOption,
    name: NameOption = None,
    primary: PrimaryOption = None,
    owner: OwnerOption = None,
    level: LevelOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an artifact of a finished run; for a head, sign the owner's statement beside it (FILE.statement.json).

    Example: manyheads-contributor package runs/dcgan --out dcgan.safetensors --primary primary.safetensors
    --version 1 --owner ada --level instance --key ada.pem
    """
    from manyheads_contributor.artifacts import read_artifact_file, read_head_run, read_primary_run
    from manyheads_contributor.package import package_head, package_primary
    from manyheads_contributor.run import RunFolder
    from manyheads_shared.artifact import read_primary
    from manyheads_shared.keys import read_private_key

    folder = RunFolder(run)
    identity = folder.read().identity
    if identity.generator is None:
        if name is None:
            raise UsageError("a primary needs --name")
        packaged = package_primary(read_primary_run(folder), out, name=name, version=version)
    else:
        if primary is None or owner is None or level is None or key is None:
            raise UsageError("a head needs --primary, --owner, --level and --key")
        generator = name_generator(identity.generator, version=version, owner=owner, level=level)
        signer = read_private_key(key, read_passphrase())
        artifact = read_primary(read_artifact_file(primary))
        packaged = package_head(read_head_run(folder), artifact, out, generator=generator, signer=signer)
    print_packaged(packaged, as_json=as_json)


def name_generator(name: str, *, version: str, owner: str, level: Literal["instance", "architecture"]) -> "Generator":
    """Return the generator that the options name.

    Raises:
        UsageError: a name, version or owner of another form.
    """
    from manyheads_shared.manifest import Generator

    try:
        return Generator(name=name, version=version, owner=owner, level=level)
    except ValidationError as error:
        raise UsageError(f"the generator: {explain(error)}") from error


def print_packaged(packaged: "Packaged", *, as_json: bool) -> None:
    """Print what was written."""
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
