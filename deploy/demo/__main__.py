"""`make demo`: the whole loop on loopback, with the commands a user would type. `python -m deploy.demo --help`."""

import json
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from deploy.demo.loop import choose_recipe, heading, run_loop
from deploy.demo.partition import make_partition
from deploy.demo.photographs import TILE_PATTERN
from deploy.demo.results import read_results
from deploy.demo.steps import Steps
from deploy.demo.table import print_results
from deploy.demo.workplace import claim_folder
from deploy.demo.world import build_world
from manyheads_contributor.recipe import Recipe, load_recipe
from manyheads_shared.files import write_atomic
from manyheads_shared.terminal import run, stdout

EXIT_TERMINATED = 143

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m deploy.demo --data faces --group-by 'latent(\\d+)'")
def demo(
    *,
    data: Annotated[Path | None, typer.Option(help="Images in the standard layout. Default: build a small world.")] = None,
    group_by: Annotated[
        str | None,
        typer.Option(help=r"Regular expression; files whose name gives the same first group stay together: 'latent(\d+)'."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Working folder. Default: demo/ and the name of the data.")] = None,
    recipe: Annotated[str, typer.Option(help="A recipe that ships, or a TOML file.")] = "quick",
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Change one key of the recipe. Repeatable.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw the working folder's last run away and start anew.")] = False,
) -> None:
    """Run the whole loop on this machine: a hub, an owner for every generator, and a client.

    Run it again after a stop: it goes on with the first command that is not done.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))  # so that the server is stopped then too
    started = time.monotonic()
    root = (out or Path("demo") / (data.resolve().name if data else "world")).resolve()
    group_by = group_by or load_recipe(recipe, overrides or ()).group_pattern or None
    claim_folder(root, data, fresh=fresh)

    heading("the images, and who holds which")
    if data is None:
        data, group_by = root / "images", group_by or TILE_PATTERN
        with stdout.status("fitting generators to photographs; about a minute"):
            build_world(data)
    elif group_by is None and any("latent" in path.name for path in data.glob("generated/*/*")):
        advice = r"file names tell latents: --group-by 'latent(\d+)' (make: GROUP_BY=) keeps the same latent on one side"
        stdout.print(advice, markup=False)
    with stdout.status("cutting the images into the parties' folders"):
        partition = make_partition(data, root, group_pattern=group_by)
    stdout.print(f"{data}: {time.monotonic() - started:.1f} s", style="dim", soft_wrap=True)

    chosen = choose_recipe(partition, recipe, overrides or (), group_by)
    _start_anew_if_changed(root, chosen)
    steps = Steps(root)
    places = run_loop(partition, chosen, steps)

    results = read_results(places)
    write_atomic(root / "results.json", json.dumps(results.to_json(), indent=2).encode())
    heading("what came of it")
    print_results(results)
    stdout.print(f"report   {places.report}", soft_wrap=True)
    stdout.print(f"records  {places.records}", soft_wrap=True)
    stdout.print(f"logs     {steps.logs}", soft_wrap=True)
    stdout.print(f"{time.monotonic() - started:.0f} seconds")


def _start_anew_if_changed(root: Path, recipe: Recipe) -> None:
    """Throw away what was trained with another recipe; the parties' images stay."""
    stamp, settings = root / "settings.json", json.dumps({"recipe": recipe.digest}).encode()
    if stamp.exists() and stamp.read_bytes() != settings:
        stdout.print("the recipe changed: everything that was trained before is thrown away")
        kept = {"suite", "public", "examples", "data", "proofs"}
        for folder in (root / "hub", root / "client", *(root / "owners").iterdir()):
            for path in folder.iterdir():
                if path.name not in kept:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_atomic(stamp, settings)


if __name__ == "__main__":
    run(app)
