"""The loop: hub, owners and client, each typing its own commands in its own folder, over a real server on loopback."""

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.demo.partition import Partition
from deploy.demo.server import running_hub
from deploy.demo.steps import StepError, Steps
from manyheads_contributor.recipe import Recipe, load_recipe, recipe_names
from manyheads_shared.files import write_atomic
from manyheads_shared.image import read_image
from manyheads_shared.terminal import EXIT_NO, stdout

KIT, HUB, CLIENT = "manyheads-contributor", "manyheads-hub", "manyheads"
HUB_NAME = "demo-hub"
NO_IS_AN_ANSWER = (0, EXIT_NO)  # a blatant confounder, a refused head: worth reading, and no reason to stop

_NATIVE_SIZE = 256  # pixels a side: images up to here are taken as they are, where all are of one size
_USUAL_SIZE = 128  # pixels a side, for anything else


@dataclass(frozen=True)
class Places:
    """Every file of the loop that a later step, or the table, reads."""

    partition: Partition

    @property
    def root(self) -> Path:
        """The working folder."""
        return self.partition.root

    @property
    def recipe(self) -> Path:
        """What everyone trains by."""
        return self.root / "recipe.toml"

    @property
    def hub(self) -> Path:
        """The hub's own folder."""
        return self.root / "hub"

    @property
    def client(self) -> Path:
        """The client's own folder."""
        return self.root / "client"

    @property
    def detector_figures(self) -> Path:
        """`evaluate` of the primary."""
        return self.hub / "detector.json"

    def head_figures(self, generator: str) -> Path:
        """`evaluate` of a head, as its owner measured it."""
        return self.partition.owner(generator) / "figures.json"

    def audit(self, generator: str) -> Path:
        """`audit` of an owner's images."""
        return self.partition.owner(generator) / "audit.json"

    def submission(self, generator: str) -> Path:
        """What the hub answered in the end."""
        return self.partition.owner(generator) / "submission.json"

    @property
    def records(self) -> Path:
        """The client's evidence records."""
        return self.client / "scan.jsonl"

    @property
    def report(self) -> Path:
        """The client's report."""
        return self.client / "report.html"


def choose_recipe(partition: Partition, recipe: str, overrides: Sequence[str], group_pattern: str | None) -> Recipe:
    """Return what everyone trains by: the recipe with the pattern that keeps files together, and the images' own size.

    The size of a TOML file, or one given in `overrides`, is kept. With a recipe that ships, images that are all one square
    of at most 256 pixels are taken as they are, anything else is brought to 128.
    """
    own = [f"group_pattern={group_pattern}"] if group_pattern else []
    if recipe in recipe_names():
        own.append(f"image_size={_image_size(partition.public)}")
    return load_recipe(recipe, [*own, *overrides])


def run_loop(partition: Partition, recipe: Recipe, steps: Steps) -> Places:
    """Run every command that is not done yet; return where the results are.

    The plan: (1) the hub trains and publishes a primary; (2) every owner trains a head on it and submits; (3) the client
    pulls the bundle and examines images it has never seen.

    Raises:
        StepError: a command failed.
    """
    places = Places(partition)
    write_atomic(places.recipe, recipe.to_toml().encode())
    # step 1
    heading("the hub: a primary and a catalogue")
    _prepare_hub(places, steps)
    with running_hub(places.hub / "state", steps.logs / "serve.log") as url:
        stdout.print(
            f"[dim]{places.hub.relative_to(places.root.parent)}[/] $ {HUB} serve state   [dim]listening on {url}[/]",
            markup=True,
        )
        # step 2
        for generator in partition.generators:
            heading(f"the owner of {generator}: a head")
            _contribute(places, generator, url, steps)
        # step 3
        heading("the client: a bundle and verdicts")
        _attribute(places, url, steps)
        _look_at_pages(places, url, steps)
    return places


def heading(text: str) -> None:
    """Print who acts next."""
    stdout.print(f"\n{text}", style="bold")


def _prepare_hub(places: Places, steps: Steps) -> None:
    cwd = places.hub

    def run(name: str, *command: str, makes: str, keep: bool = False) -> None:
        steps.run(name, list(command), cwd=cwd, makes=cwd / makes, keep=keep)

    run("hub-init", HUB, "init", "state", "--name", HUB_NAME, "--suite", "suite", makes="state/root.json")
    train = (KIT, "train-primary", "public", "--out", "run", "--recipe", os.path.relpath(places.recipe, cwd), "--json")
    run("hub-train-primary", *train, makes="trained.json", keep=True)
    run("hub-evaluate", KIT, "evaluate", "run", "public", "--json", makes="detector.json", keep=True)
    package = (KIT, "package", "run", "--out", "primary.safetensors", "--name", "demo", "--version", "1")
    run("hub-package", *package, makes="primary.safetensors")
    publish = (HUB, "publish-primary", "state", "primary.safetensors", "--json")
    run("hub-publish-primary", *publish, makes="published.json", keep=True)


def _contribute(places: Places, generator: str, url: str, steps: Steps) -> None:
    owner = f"{generator}-lab"
    cwd = places.partition.owner(generator)

    def run(name: str, *command: str, makes: str, keep: bool = False, answers: tuple[int, ...] = (0,)) -> None:
        steps.run(f"{generator}-{name}", list(command), cwd=cwd, makes=cwd / makes, keep=keep, answers=answers)

    run("key", KIT, "key", "new", "key.pem", makes="key.pem.pub")
    enrol = [HUB, "enrol", "state", owner, "--key", f"../owners/{generator}/key.pem.pub", "--generator", generator]
    steps.run(f"{generator}-enrol", enrol, cwd=places.hub, makes=cwd / "token", keep=True)
    run("fetch-primary", KIT, "fetch-primary", url, "--out", "primary.safetensors", makes="primary.safetensors")
    run("audit", KIT, "audit", "data", "--json", makes="audit.json", keep=True, answers=NO_IS_AN_ANSWER)
    primary = ("--primary", "primary.safetensors")
    recipe = ("--recipe", os.path.relpath(places.recipe, cwd))
    train = (KIT, "train-head", "data", "--generator", generator, *primary, "--out", "run", *recipe, "--json")
    run("train-head", *train, makes="trained.json", keep=True)
    run("evaluate", KIT, "evaluate", "run", "data", *primary, "--json", makes="figures.json", keep=True)
    who = ("--version", "1", "--owner", owner, "--level", "instance", "--key", "key.pem")
    run("package", KIT, "package", "run", *primary, *who, "--out", "head.safetensors", makes="head.safetensors")
    access = ("--hub", url, "--token-file", "token")
    submit = (KIT, "submit", "head.safetensors", "--run", "run", "--proofs", "proofs", *access, "--json")
    run("submit", *submit, makes="submitted.json", keep=True)
    submission = json.loads((cwd / "submitted.json").read_bytes())["id"]
    wait = (KIT, "status", submission, *access, "--wait", "--json")
    run("status", *wait, makes="submission.json", keep=True, answers=NO_IS_AN_ANSWER)


def _attribute(places: Places, url: str, steps: Steps) -> None:
    cwd = places.client
    shutil.copyfile(places.hub / "state" / "root.json", cwd / "root.json")  # handed over, as a maintainer would in person

    def run(name: str, *command: str, makes: str, keep: bool = False) -> None:
        steps.run(f"client-{name}", [CLIENT, *command], cwd=cwd, makes=cwd / makes, keep=keep)

    store = ("--store", "store")
    run("pull", "pull", url, "--root", "root.json", *store, "--json", makes="pulled.json", keep=True)
    run("verify", "verify", *store, makes="verified.txt", keep=True)
    out = ("--jsonl", "scan.jsonl", "--report", "report.html")
    run("attribute", "attribute", "examples", *store, *out, makes="verdicts.txt", keep=True)


def _look_at_pages(places: Places, url: str, steps: Steps) -> None:
    """Ask the hub for its pages, as a visitor would, and keep what it answered."""
    kept = steps.logs / "pages"
    found = re.findall(r'href="(/[^"#?]*)"', _fetch(url, "/", kept))
    for path in sorted({path for path in found if not path.startswith(("/v1", "/tuf", "/static"))}):
        _fetch(url, path, kept)
    stdout.print(
        f"the hub's pages were answered; run [bold]{HUB} serve {places.hub / 'state'}[/] to look at them",
        soft_wrap=True,
        markup=True,
    )


def _fetch(url: str, path: str, kept: Path) -> str:
    response = httpx.get(url + path, follow_redirects=True)
    if response.status_code != httpx.codes.OK:
        raise StepError(f"the hub's page {path} answered {response.status_code}: {response.text[:200]}")
    write_atomic(kept / (path.strip("/").replace("/", "_") or "index"), response.content)
    return response.text


def _image_size(folder: Path) -> int:
    """The images' own side where the first of every source is one and the same square, else the usual size."""
    firsts = (next(iter(sorted(source.iterdir()))) for source in folder.glob("*/*"))
    shapes = {read_image(path).pixels.shape[:2] for path in firsts}
    height, width = min(shapes)
    if len(shapes) == 1 and height == width and height % 8 == 0 and height <= _NATIVE_SIZE:
        return int(height)
    return _USUAL_SIZE
