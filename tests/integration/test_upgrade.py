"""The story of docs/upgrades.md, with the real commands of all three: a candidate, its report, its promotion, and after."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer import Typer
from typer.testing import CliRunner

from manyheads_client.cli import app as client
from manyheads_contributor.cli import app as contributor
from manyheads_hub.cli import app as maintainer
from manyheads_hub.hub import open_hub
from manyheads_shared.keys import write_private_key
from tests.support.live_hub import Owner, enrol, make_hub, package, serving, submit, work
from tests.support.makers import make_generator
from tests.support.world import draw_images, encode, trained_primary


def run(app: Typer, *arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@dataclass(frozen=True)
class World:
    """A hub with a head for alpha, its owner's desk, and a laboratory."""

    folder: Path
    owner: Owner
    url: str

    @property
    def hub(self) -> Path:
        return self.folder / "hub"

    def pull(self) -> dict[str, Any]:
        root = ["--root", self.hub / "root.json"]
        run(client, "pull", self.url, *root, "--store", self.folder / "store")
        shown: dict[str, Any] = json.loads(run(client, "show", "--store", self.folder / "store", "--json").stdout)["manifest"]
        return shown

    def scan(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        run(client, "attribute", self.folder / "images", "--jsonl", path, "--store", self.folder / "store")
        return [json.loads(line) for line in path.read_text().splitlines()]

    def work(self) -> None:
        with open_hub(self.hub) as hub:
            work(hub)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("upgrade")
    make_hub(folder / "hub")
    for name, kind in (("alpha", "images"), ("photos", "images"), ("alpha", "proofs")):
        (folder / kind).mkdir(exist_ok=True)
        for i, image in enumerate(draw_images(name, 60 if kind == "proofs" else 4, seed=20 if kind == "proofs" else 9)):
            (folder / kind / f"{name}-{i:02d}.png").write_bytes(encode(image))
    for kind, name in (("real", "photos"), ("generated", "alpha"), ("generated", "gamma")):
        (folder / "public" / kind / name).mkdir(parents=True)
        for i, image in enumerate(draw_images(name, 60, seed=8)):
            (folder / "public" / kind / name / f"{i:03d}.png").write_bytes(encode(image))
    (folder / "poor.safetensors").write_bytes(trained_primary("2"))
    with open_hub(folder / "hub") as hub:
        owner = enrol(hub)
        submit(hub, owner, package(owner, make_generator("alpha")))
        work(hub)
    write_private_key(folder / "ada.pem", owner.key)
    (folder / "token").write_text(owner.token)
    (folder / "head.safetensors").write_bytes(package(owner, make_generator("alpha")).head)
    with serving(folder / "hub") as url:
        yield World(folder, owner, url)


def train_next(world: World) -> None:
    """Train a primary that is held to the present one and its head, and package it."""
    present, kept = world.folder / "present.safetensors", world.folder / "next-run"
    run(contributor, "fetch-primary", world.url, "--out", present)
    numbers = ["image_size=32", "batch_size=32", "batch_norm_images=120", "max_epochs=12", "patience=12", "compatibility=10"]
    options = [part for number in numbers for part in ("--set", number)]
    held_to = ["--compatible-with", present, "--head", world.folder / "head.safetensors"]
    run(contributor, "train-primary", world.folder / "public", "--out", kept, *held_to, *options, "--device", "cpu")
    run(contributor, "package", kept, "--name", "tiny", "--version", "7", "--out", world.folder / "next.safetensors")


def test_a_candidate_is_promoted_an_old_head_attributes_and_old_reports_hold(world: World) -> None:
    first = world.pull()
    before = world.scan("before")
    train_next(world)

    # a candidate, its report, its promotion
    measured = run(maintainer, "candidate", world.hub, world.folder / "next.safetensors")
    assert "it may be promoted" in measured.stdout
    report = json.loads(run(maintainer, "retention", world.hub, "--json").stdout)
    assert [(row["generator"]["name"], row["compatibility"]) for row in report["heads"]] == [("alpha", "compatible")]
    assert "would promote tiny@7" in run(maintainer, "promote", world.hub, "--dry-run").stdout
    assert "promoted tiny@7: bundle 3 (alpha@1)" in run(maintainer, "promote", world.hub, "tiny@7").stdout

    # the old head, through the new bundle
    second = world.pull()
    assert (first["format"], second["format"]) == ("manyheads.bundle/1", "manyheads.bundle/2")
    after = world.scan("after")
    assert after[0]["format"] == "manyheads.instrument/2"
    assert [(each["way"], each["primary"]["version"]) for each in after[0]["carried"]] == [("straight", "1")]
    for records in (before, after):
        claims = {line["item"]["name"].rpartition("/")[2]: line["claimed_by"] for line in records if "item" in line}
        assert [claims[f"alpha-{i:02d}.png"] for i in range(4)] == [["alpha@1"]] * 4
        assert all(not claims[f"photos-{i:02d}.png"] for i in range(4))

    # reports made before and after still verify, and replay
    store = ["--store", world.folder / "store"]
    for name in ("before", "after"):
        path = world.folder / f"{name}.jsonl"
        run(client, "verify-report", path, *store, "--images", world.folder / "images")
        run(client, "replay", path, *store)
    run(client, "verify", *store)
    told = run(client, "report", world.folder / "after.jsonl", "--out", world.folder / "after.html")
    assert told.exit_code == 0
    assert "made for primary tiny 1" in (world.folder / "after.html").read_text()


def test_its_owner_is_told_and_moves_the_head_with_one_command(world: World) -> None:
    mine = ["--hub", world.url, "--token-file", world.folder / "token"]
    assert "alpha@1 goes on working on the new primary as it is" in run(contributor, "status", *mine).stdout
    arguments = ["migrate", "alpha", *mine, "--key", world.folder / "ada.pem", "--version", "2"]
    arguments += ["--proofs", world.folder / "proofs", "--out", world.folder / "migration"]
    arguments += ["--accept", world.folder / "head.safetensors"]
    assert "migrate --accept" in run(contributor, *arguments, "--dry-run").stdout
    run(contributor, *arguments)
    world.work()

    manifest = world.pull()
    assert [entry["generator"]["version"] for entry in manifest["heads"]] == ["2"]
    assert (manifest["format"], manifest["sequence"]) == ("manyheads.bundle/1", 4)
    assert "notice" not in run(contributor, "status", *mine).stdout
    refused = CliRunner().invoke(contributor, [str(each) for each in arguments])
    assert "asks nothing of you for alpha" in str(refused.exception)


def test_a_rollback_reaches_clients_as_a_new_bundle(world: World) -> None:
    assert "would go back to tiny@1" in run(maintainer, "rollback", world.hub, "--reason", "drawings", "--dry-run").stdout
    run(maintainer, "rollback", world.hub, "--reason", "the new detector calls drawings generated")
    manifest = world.pull()
    assert (manifest["sequence"], [entry["generator"]["version"] for entry in manifest["heads"]]) == (5, ["1"])


def test_a_candidate_below_a_floor_is_not_promoted(world: World) -> None:
    run(maintainer, "candidate", world.hub, world.folder / "poor.safetensors")
    shown = run(maintainer, "retention", world.hub, "tiny@2", code=1)
    assert "NOT MET  retention: 0 of 1 listed heads are compatible" in shown.stdout
    refused = run(maintainer, "promote", world.hub, "tiny@2", code=1)
    assert "retention: 0 of 1 listed heads" in str(refused.exception)


def test_a_second_primary_is_a_candidate_first(world: World) -> None:
    refused = run(maintainer, "publish-primary", world.hub, world.folder / "poor.safetensors", code=1)
    assert "manyheads-hub candidate" in str(refused.exception)
