"""The commands as a maintainer types them: what they print, change and return."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from manyheads_hub.bundles import service as bundles
from manyheads_hub.cli import app
from manyheads_hub.errors import ConflictError, NotFoundError, PublicationError
from manyheads_hub.hub import Hub
from manyheads_hub.primaries import service as primaries
from manyheads_hub.settings import Settings
from manyheads_hub.storage.s3 import S3Storage
from manyheads_shared.api import BundleInfo
from manyheads_shared.artifact import read_primary
from manyheads_shared.errors import ArtifactError, UsageError
from manyheads_shared.keys import generate_key, public_pem
from tests.support.grounds import PRODUCTION, new_ground
from tests.support.live_hub import MAINTAINER, Owner, package, submit, work
from tests.support.makers import make_generator, write_dataset
from tests.support.world import trained_primary, write_suite


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def run_json(*arguments: object) -> dict[str, object]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


@pytest.fixture
def folder(hub: Hub) -> Path:
    return hub.settings.folder


@pytest.fixture
def accepted(hub: Hub, ada: Owner) -> str:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    work(hub)
    return submission


COMMANDS = ("init", "serve", "worker", "suite", "publish-primary", "enrol", "review", "publish-bundle", "yank", "openapi")


@pytest.mark.parametrize("command", [*COMMANDS, "keys show", "keys check", "keys refresh"])
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = run(*command.split(), "--help")
    assert (result.exit_code, "Example: manyheads-hub" in result.stdout) == (0, True)


def test_a_hub_is_made_in_a_database_and_a_bucket_and_a_rehearsal_leaves_nothing_there(tmp_path: Path) -> None:
    ground = new_ground(PRODUCTION)
    assert ground.storage is not None
    bucket = f"s3://{ground.storage.bucket}/{ground.storage.prefix}"
    options = ("--database", ground.database, "--storage", bucket, "--s3-endpoint", ground.storage.endpoint)
    arguments = ("init", tmp_path / "hub", "--name", "lab", *options, "--s3-region", "us-east-1")
    assert run_json(*arguments, "--dry-run")["created"] is False
    storage = S3Storage(ground.storage)
    assert (list(storage.list("tuf")), list(tmp_path.iterdir())) == ([], [])
    assert run_json(*arguments)["created"] is True
    assert next(storage.list("tuf")).name == "tuf/metadata/1.root.json"
    storage.close()
    assert Settings.read(tmp_path / "hub").storage == ground.storage
    assert run("keys", "check", tmp_path / "hub").exit_code == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--database", "postgresql://hub:secret@db.example/lab"), "without a password"),
        (("--storage", "bucket"), "expected s3://BUCKET"),
        (("--presigned-downloads",), "go with --storage"),
    ],
)
def test_a_hub_is_not_made_where_it_cannot_be(tmp_path: Path, options: Sequence[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        run("init", tmp_path / "hub", "--name", "lab", *options)
    assert list(tmp_path.iterdir()) == []


def test_a_hub_is_made_given_a_primary_and_enrols_its_first_owner(tmp_path: Path) -> None:
    write_suite(tmp_path / "suite")
    (tmp_path / "primary.safetensors").write_bytes(trained_primary())
    (tmp_path / "ada.pub").write_text(public_pem(generate_key().public_key))
    made = run_json("init", tmp_path / "hub", "--name", "lab", "--suite", tmp_path / "suite")
    assert Path(str(made["root"])).is_file()
    published = run_json("publish-primary", tmp_path / "hub", tmp_path / "primary.safetensors")
    assert BundleInfo.model_validate(published["bundle"]).sequence == 1
    enrolled = run_json("enrol", tmp_path / "hub", "ada", "--key", tmp_path / "ada.pub", "--generator", "alpha")
    assert str(enrolled["token"]).startswith("mh_")


def test_publishing_the_newest_primary_again_finishes_what_a_kill_left(folder: Path, hub: Hub, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(trained_primary("2"))
    with hub.database.write() as session:  # killed here: the row and its job are written, nothing is published
        artifact = read_primary(other.read_bytes())
        hub.blobs.put(other.read_bytes())
        primaries.add(session, MAINTAINER, artifact, other.stat().st_size)
    published = BundleInfo.model_validate(run_json("publish-primary", folder, other)["bundle"])
    assert published.primary == artifact.digest
    again = BundleInfo.model_validate(run_json("publish-primary", folder, other)["bundle"])
    assert again == published


def test_the_token_stands_alone_on_stdout(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bob.pub").write_text(public_pem(generate_key().public_key))
    result = run("enrol", folder, "bob", "--key", tmp_path / "bob.pub", "--generator", "delta")
    assert (result.stdout.count("\n"), len(result.stdout.strip())) == (1, 46)
    assert "shown once" in result.stderr


def test_a_change_of_suite_that_is_killed_half_way_is_finished_by_the_worker(
    hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_suite(tmp_path / "other")
    next((other / "generated" / "gamma").iterdir()).unlink()
    before = calibrated_on(hub)
    write = Settings.write

    def write_and_die(settings: Settings) -> None:
        write(settings)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Settings, "write", write_and_die)
        run("suite", folder, other)
    assert calibrated_on(hub) == before
    work(hub)
    assert calibrated_on(hub) != before


def calibrated_on(hub: Hub) -> str:
    with hub.database.read() as session:
        return bundles.get_bundle(session, hub.blobs, bundles.get_latest(session).sequence)[2].suite


@pytest.mark.parametrize(
    "arguments",
    [
        ("publish-bundle",),
        ("yank", "alpha@1", "--reason", "claims cats"),
        ("suite", "SUITE"),
        ("candidate", "PRIMARY"),
        ("enrol", "bob", "--key", "KEY", "--generator", "delta"),
    ],
)
def test_a_dry_run_changes_nothing(
    folder: Path, accepted: str, tmp_path_factory: pytest.TempPathFactory, arguments: Sequence[str]
) -> None:
    desk = tmp_path_factory.mktemp("desk")
    write_dataset(desk / "suite", {"real/photos": 2, "generated/other": 2})
    (desk / "primary").write_bytes(trained_primary("2"))
    (desk / "key").write_text(public_pem(generate_key().public_key))
    command, *rest = [str(desk / word.lower()) if word.isupper() else word for word in arguments]
    before = snapshot(folder)
    result = run(command, folder, *rest, "--dry-run")
    assert (result.exit_code, "would" in result.output) == (0, True)
    assert snapshot(folder) == before


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file but SQLite's shared memory, which readers touch too."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".sqlite-shm"}


def test_yanking_publishes_the_next_bundle_without_the_head(folder: Path, accepted: str) -> None:
    answer = run_json("yank", folder, "alpha@1", "--reason", "claims cats")
    assert BundleInfo.model_validate(answer["bundle"]).generators == []
    with pytest.raises(ConflictError, match="yanked already: claims cats"):
        run("yank", folder, "alpha@1", "--reason", "again")


@pytest.mark.parametrize(("head", "error"), [("alpha", UsageError), ("alpha@9", NotFoundError)])
def test_yanking_what_is_not_there_is_refused(folder: Path, head: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        run("yank", folder, head, "--reason", "x")


def test_another_suite_gives_another_calibration(folder: Path, hub: Hub, accepted: str, tmp_path: Path) -> None:
    for path in sorted(hub.suite_folder().glob("real/photos/*"))[:10]:
        target = tmp_path / "other" / path.relative_to(hub.suite_folder())
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    write_dataset(tmp_path / "other", {"generated/gamma": 60})
    answer = run_json("suite", folder, tmp_path / "other")
    assert BundleInfo.model_validate(answer["bundle"]).sequence == 3
    assert hub.suite_folder() == tmp_path / "other"


def test_nothing_new_publishes_nothing(folder: Path) -> None:
    assert "up to date: bundle 1 (no heads yet)" in run("publish-bundle", folder).stdout


def test_absent_offline_keys_are_told_before_a_primary_is_taken_in(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "primary").write_bytes(trained_primary("2"))
    (folder / "keys/offline").rename(tmp_path / "safe")
    with pytest.raises(UsageError, match="Bring the offline keys back"):
        run("publish-primary", folder, tmp_path / "primary")
    with pytest.raises(PublicationError, match="Bring the offline keys back"):
        run("publish-bundle", folder)


def test_what_is_no_primary_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        run("publish-primary", folder, tmp_path / "missing")
    (tmp_path / "primary").write_bytes(b"not safetensors")
    with pytest.raises(ArtifactError):
        run("publish-primary", folder, tmp_path / "primary")


def test_a_review_lists_submissions_and_shows_one_whole(folder: Path, accepted: str) -> None:
    listed = run("review", folder).stdout
    assert accepted in listed
    assert "accepted" in listed
    shown = run("review", folder, accepted).stdout
    assert "alpha@1 by ada" in shown
    assert "recall 100.0 %" in shown
    assert run_json("review", folder, accepted)["state"] == "accepted"


def test_a_worker_once_does_what_is_queued(folder: Path, hub: Hub, ada: Owner) -> None:
    submit(hub, ada, package(ada, make_generator("alpha")))
    assert run_json("worker", folder, "--once") == {"jobs": 2}
