"""`import-keras`."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_contributor.commands.package import (
    JsonOption,
    KeyOption,
    LevelOption,
    NameOption,
    OutOption,
    OwnerOption,
    PrimaryOption,
    VersionOption,
    name_generator,
    print_packaged,
)
from manyheads_shared.errors import UsageError
from manyheads_shared.passphrase import read_passphrase


def import_keras(
    file: Annotated[Path, typer.Argument(metavar="FILE.h5", help="A model or weights saved by Khoo, Lim and Phan's code.")],
    *,
    out: OutOption,
    version: VersionOption,
    name: NameOption = None,
    image_size: Annotated[
        int | None,
        typer.Option("--image-size", min=16, help="Primary: pixels a side, 128 unless told; a dct file has one of its own."),
    ] = None,
    statistics: Annotated[
        Path | None,
        typer.Option("--statistics", help="Primary, dct: folder with that code's mean.npy and std_dev.npy."),
    ] = None,
    generator: Annotated[
        str | None, typer.Option("--generator", help="Head: the generator it recognises. Without it the primary is imported.")
    ] = None,
    secondary: Annotated[
        int | None, typer.Option("--secondary", min=1, help="Head: which, from 1, in a file of several.", show_default=False)
    ] = None,
    primary: PrimaryOption = None,
    owner: OwnerOption = None,
    level: LevelOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an artifact of a Keras file of the published code: of its primary, or with --generator of its head.

    A head's file brings its own frozen primary: import that first, then the head for it. The two are compared bit by bit.

    Example: manyheads-contributor import-keras attribution.h5 --out primary.safetensors --name ganfp --version 1

    Example: manyheads-contributor import-keras attribution.h5 --out progan.safetensors --primary primary.safetensors
    --generator progan --version 1 --owner ada --level instance --key ada.pem
    """
    from manyheads_contributor.artifacts import read_artifact_file
    from manyheads_contributor.keras_import import import_head, import_primary
    from manyheads_contributor.keras_network import read_keras_network
    from manyheads_contributor.package import package_head, package_primary
    from manyheads_shared.artifact import read_primary
    from manyheads_shared.keys import read_private_key

    if generator is None:
        if name is None or any((secondary, primary, owner, level, key)):
            raise UsageError("a primary needs --name, and takes no option of a head; a head needs --generator")
        network = read_keras_network(file)
        weights = import_primary(network, image_size=image_size, statistics=statistics)
        packaged = package_primary(weights, out, name=name, version=version)
    else:
        if primary is None or owner is None or level is None or key is None or any((name, image_size, statistics)):
            raise UsageError("a head needs --primary, --owner, --level and --key, and takes no option of a primary")
        named = name_generator(generator, version=version, owner=owner, level=level)
        signer = read_private_key(key, read_passphrase())
        artifact = read_primary(read_artifact_file(primary))
        head = import_head(read_keras_network(file), artifact, secondary=secondary)
        packaged = package_head(head, artifact, out, generator=named, signer=signer)
    print_packaged(packaged, as_json=as_json)
