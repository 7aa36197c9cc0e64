"""`train-primary` and `train-head`."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_shared import terminal
from manyheads_shared.errors import UsageError

Data = Annotated[Path, typer.Argument(help="Folder with real/SOURCE, generated/GENERATOR and external/… below it.")]
Out = Annotated[Path, typer.Option("--out", help="Run folder, new or to go on with.")]
RecipeName = Annotated[str, typer.Option("--recipe", help="khoo2022 (as published), quick (a small machine), or a TOML file.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Change one key of the recipe: key=value. Repeatable.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
Json = Annotated[bool, typer.Option("--json", help="Print the run as JSON on stdout.")]


def train_primary(
    data: Data,
    *,
    out: Out,
    recipe: RecipeName = "khoo2022",
    overrides: Overrides = None,
    compatible_with: Annotated[
        Path | None, typer.Option("--compatible-with", help="An earlier primary, whose heads are to go on working.")
    ] = None,
    heads: Annotated[
        list[Path] | None, typer.Option("--head", help="A head for it, whose answers are kept too. Repeatable.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train a primary: trunk and detector, real against generated images.

    Run it again after a kill: it goes on after the last finished epoch, with the same result.

    With --compatible-with the new trunk is held to an earlier one's features on these images, so that heads for that one run on
    it as they are. A hub measures how well, before it promotes the new primary.

    Example: manyheads-contributor train-primary DATA --out runs/primary --recipe quick --set image_size=64
    """
    from manyheads_contributor import training_run
    from manyheads_contributor.compatibility import Earlier
    from manyheads_contributor.recipe import load_recipe
    from manyheads_shared.dataset import scan_dataset

    if heads and compatible_with is None:
        raise UsageError("--head goes with --compatible-with: name the primary that the heads were made for")
    chosen, earlier = load_recipe(recipe, overrides or ()), None
    if compatible_with is not None:
        earlier = Earlier.read(compatible_with, heads or ())
    run = training_run.train_primary(scan_dataset(data), chosen, out, earlier=earlier, device=device)
    if as_json:
        terminal.print_json(run.model_dump(mode="json"))


def train_head(
    data: Data,
    *,
    generator: Annotated[str, typer.Option("--generator", help="The folder under generated/ whose images are yours.")],
    primary: Annotated[Path, typer.Option("--primary", help="The hub's primary (fetch-primary), a safetensors file.")],
    out: Out,
    recipe: RecipeName = "khoo2022",
    overrides: Overrides = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train a head for one generator on a frozen primary: its images against all others in DATA.

    Run it again after a kill: it goes on after the last finished epoch, with the same result.

    Example: manyheads-contributor train-head DATA --generator dcgan --primary primary.safetensors --out runs/dcgan
    """
    from manyheads_contributor import training_run
    from manyheads_contributor.artifacts import read_artifact_file
    from manyheads_contributor.recipe import load_recipe
    from manyheads_shared.artifact import read_primary
    from manyheads_shared.dataset import scan_dataset

    chosen = load_recipe(recipe, overrides or ())
    artifact = read_primary(read_artifact_file(primary))
    run = training_run.train_head(scan_dataset(data), generator, artifact, chosen, out, device=device)
    if as_json:
        terminal.print_json(run.model_dump(mode="json"))
