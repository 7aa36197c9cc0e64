"""Key drills: every key replaced while clients go on, and a ceremony whose root keys never see the hub."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import delete
from typer.testing import CliRunner

from manyheads_hub.cli import app
from manyheads_hub.evaluations.restating import sign_statements_again
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.signing.ceremony import edit_root
from manyheads_hub.signing.keyring import EVALUATION, MissingKeysError
from manyheads_hub.signing.repository import TufRepository
from manyheads_hub.signing.rotation import rotate
from manyheads_hub.signing.tuf_files import RepositoryStateError, Role
from manyheads_hub.tables import HeadRow, SignedFileRow
from manyheads_shared.bundle import BundleManifest
from manyheads_shared.errors import UsageError
from manyheads_shared.keys import generate_key, public_pem, write_private_key
from manyheads_shared.statements import verify_hub_statement
from tests.support.live_hub import Owner, package, publish_primary, submit, work
from tests.support.makers import make_generator
from tests.support.tuf_client import fetch_target, open_updater
from tests.support.world import trained_primary

ROTATED: tuple[Role, ...] = ("root", "targets", "snapshot", "timestamp")


def fetch(hub: Hub, cache: Path) -> bytes | None:
    """What a client finds that began with the hub's first root."""
    return fetch_target(open_updater(hub.storage, hub.settings.root.read_bytes(), cache))


def hub_keys(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments])


@pytest.mark.parametrize("role", ROTATED)
def test_a_client_follows_while_every_key_of_a_role_is_replaced(hub: Hub, tmp_path: Path, role: Role) -> None:
    bundle = fetch(hub, tmp_path / "old client")
    first = set(hub.repository.key_ids()[role])
    for _ in first:
        rotation = rotate(hub.repository, hub.keyring, role)
        assert fetch(hub, tmp_path / "old client") == bundle
    now = set(hub.repository.key_ids()[role])
    assert (len(now), now & first, rotation.added in now) == (len(first), set(), True)
    assert fetch(hub, tmp_path / "new client") == bundle
    publish_primary(hub, trained_primary("2"))  # the new keys publish
    assert fetch(hub, tmp_path / "old client") != bundle


def test_a_chosen_key_is_replaced_and_no_other(hub: Hub) -> None:
    first, second = hub.repository.key_ids()["targets"]
    rotation = rotate(hub.repository, hub.keyring, "targets", second[:10])
    assert (rotation.removed, set(hub.repository.key_ids()["targets"])) == (second, {first, rotation.added})
    with pytest.raises(UsageError, match="expected one of the targets keys"):
        rotate(hub.repository, hub.keyring, "targets", second)


class KilledError(Exception):
    """The process ends here."""


def killed(repository: TufRepository, at: str, time: int) -> None:
    """Let a method of a repository be the last thing a process begins, the `time`th time it is called."""
    method: Callable[..., object] = getattr(repository, at)
    calls = iter(range(time - 1))

    def end(*arguments: object, **options: object) -> object:
        if next(calls, None) is None:
            raise KilledError
        return method(*arguments, **options)

    setattr(repository, at, end)


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
@pytest.mark.parametrize(
    ("at", "time"), [("install_root", 1), ("install_root", 2), ("_sign_timestamp", 1), ("_sign_timestamp", 2)]
)
def test_a_rotation_that_was_killed_is_finished_by_the_next(hub: Hub, tmp_path: Path, role: Role, at: str, time: int) -> None:
    bundle, before = fetch(hub, tmp_path / "client"), hub.repository.key_ids()[role]
    dying = hub.repository
    killed(dying, at, time)
    with pytest.raises(KilledError):
        rotate(dying, hub.keyring, role)
    hub.repository.refresh()  # as the running hub does
    assert fetch(hub, tmp_path / "client") == bundle
    if len(hub.repository.key_ids()[role]) > len(before) or set(hub.repository.key_ids()[role]) == set(before):
        rotate(hub.repository, hub.keyring, role, before[0])
    after = hub.repository.key_ids()[role]
    assert (len(after), before[0] in after) == (len(before), False)
    assert len(hub.keyring.paths(role)) == len(before) + 1  # no key was made twice
    assert fetch(hub, tmp_path / "client") == bundle


def test_rotating_without_the_root_keys_is_refused_and_changes_no_metadata(hub: Hub, tmp_path: Path) -> None:
    before = [file.name for file in hub.storage.list("tuf/metadata")]
    (hub.settings.keys / "offline").rename(tmp_path / "safe")
    with pytest.raises(MissingKeysError):
        rotate(hub.repository, hub.keyring, "timestamp")
    assert [file.name for file in hub.storage.list("tuf/metadata")] == before


def test_a_new_evaluation_key_signs_the_listed_heads_again_with_the_next_bundle(hub: Hub, ada: Owner, tmp_path: Path) -> None:
    submit(hub, ada, package(ada, make_generator("alpha")))
    work(hub)
    old = hub.keyring.evaluation_key()
    assert hub_keys("rotate", str(hub.settings.folder), EVALUATION).exit_code == 0
    new = hub.keyring.evaluation_key()
    result = CliRunner().invoke(app, ["publish-bundle", str(hub.settings.folder)])
    assert (result.exit_code, new.keyid != old.keyid) == (0, True)
    with hub.database.read() as session:
        (row,) = session.query(HeadRow).all()
    assert verify_hub_statement(hub.blobs.read(row.hub_statement), row.digest, new).predicate.generator.name == "alpha"
    assert sign_statements_again(hub) == 0
    assert BundleManifest.from_bytes(fetch(hub, tmp_path / "client") or b"").hub_key == public_pem(new)


@pytest.fixture
def maintainers(tmp_path: Path) -> list[Path]:
    """Three root keys, each on a machine of its own."""
    paths = [tmp_path / name / "root.pem" for name in ("ann", "bob", "cem")]
    for path in paths:
        path.parent.mkdir()
        signer = generate_key()
        write_private_key(path, signer)
        path.with_suffix(".pub").write_text(public_pem(signer.public_key))
    return paths


@pytest.fixture
def founded(tmp_path: Path, maintainers: list[Path]) -> Path:
    """A hub made with public root keys, whose root nobody has signed."""
    folder = tmp_path / "hub"
    options = [option for path in maintainers for option in ("--root-key", str(path.with_suffix(".pub")))]
    result = CliRunner().invoke(app, ["init", str(folder), "--name", "lab", *options])
    assert (result.exit_code, "to be signed" in result.stdout) == (0, True)
    return folder


def test_a_hub_begins_when_enough_maintainers_have_signed_its_root(
    founded: Path, maintainers: list[Path], tmp_path: Path
) -> None:
    draft = str(founded / "root-draft.json")
    assert not (founded / "root.json").exists()
    assert hub_keys("sign", draft, "--key", str(maintainers[0]), "--yes").exit_code == 0
    assert isinstance(hub_keys("install", str(founded), draft).exception, RepositoryStateError)
    told = json.loads(hub_keys("sign", draft, "--key", str(maintainers[2]), "--yes", "--json").stdout)
    assert (told["signatures"], told["needed"]) == (2, 2)
    assert hub_keys("install", str(founded), draft).exit_code == 0
    assert not list((founded / "keys" / "offline").glob("root-*"))
    with open_hub(founded) as hub:
        hub.repository.publish({}, b"bundle 1")
        assert fetch(hub, tmp_path / "client") == b"bundle 1"


def test_a_maintainer_hands_over_and_the_hub_never_sees_a_root_key(
    founded: Path, maintainers: list[Path], tmp_path: Path
) -> None:
    draft = str(founded / "root-draft.json")
    for path in maintainers[:2]:
        hub_keys("sign", draft, "--key", str(path), "--yes")
    hub_keys("install", str(founded), draft)
    dan = generate_key()
    (tmp_path / "dan.pub").write_text(public_pem(dan.public_key))
    ann = json.loads(hub_keys("show", str(founded), "--json").stdout)[0]["key"]
    following = str(tmp_path / "next.json")
    changes = ("--add", f"root={tmp_path / 'dan.pub'}", "--remove", f"root={ann[:12]}")
    assert hub_keys("draft-root", str(founded), following, *changes).exit_code == 0
    for path in maintainers[1:]:
        assert hub_keys("sign", following, "--key", str(path), "--yes").exit_code == 0
    assert hub_keys("install", str(founded), following).exit_code == 0
    with open_hub(founded) as hub:
        assert dan.public_key.keyid in hub.repository.key_ids()["root"]
        hub.repository.publish({}, b"bundle 1")
        assert fetch(hub, tmp_path / "client") == b"bundle 1"


def test_who_signs_is_shown_what_and_may_refuse(founded: Path, maintainers: list[Path]) -> None:
    draft = founded / "root-draft.json"
    before = draft.read_bytes()
    result = CliRunner().invoke(app, ["keys", "sign", str(draft), "--key", str(maintainers[0])], input="n\n")
    assert (result.exit_code, draft.read_bytes()) == (1, before)
    assert "2 of 3" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--threshold", "root=4"), "4 of 3 keys cannot sign"),
        (("--remove", "root=zz"), "expected one root key that begins with 'zz'"),
        (("--threshold", "root=two"), "expected a number of keys"),
        (("--remove", "nobody=1"), "expected ROLE=VALUE"),
    ],
)
def test_a_root_that_could_not_sign_is_not_drafted(hub: Hub, tmp_path: Path, options: tuple[str, str], message: str) -> None:
    result = hub_keys("draft-root", str(hub.settings.folder), str(tmp_path / "next.json"), *options)
    assert (message in str(result.exception), (tmp_path / "next.json").exists()) == (True, False)


def test_a_draft_that_another_root_overtook_is_refused(hub: Hub, tmp_path: Path) -> None:
    draft = hub.repository.draft_root(edit_root([], [], []))
    hub.repository.sign_root(draft)
    rotate(hub.repository, hub.keyring, "timestamp")
    with pytest.raises(RepositoryStateError, match="draft it again"):
        hub.repository.install_root(draft)


def test_a_root_that_takes_away_a_key_whose_successor_is_not_here_is_refused(hub: Hub, tmp_path: Path) -> None:
    stranger = generate_key().public_key
    old = hub.repository.key_ids()["timestamp"][0]

    draft = hub.repository.draft_root(edit_root([("timestamp", stranger)], [("timestamp", old)], []))
    hub.repository.sign_root(draft)
    with pytest.raises(RepositoryStateError, match="are not those that this repository's root names"):
        hub.repository.install_root(draft)
    assert hub.repository.key_ids()["timestamp"] == (old,)


def test_everything_signed_is_written_out_again_byte_for_byte(hub: Hub, ada: Owner, tmp_path: Path) -> None:
    submit(hub, ada, package(ada, make_generator("alpha")))
    work(hub)
    hub.repository.refresh()
    bundle = fetch(hub, tmp_path / "old client")
    before = {file.name: hub.storage.read(file.name) for file in hub.storage.list("tuf")}
    for name in before:
        hub.storage.delete(name)
    (hub.settings.keys / "offline").rename(tmp_path / "safe")  # no key is needed
    told = json.loads(hub_keys("rebuild", str(hub.settings.folder), "--json").stdout)
    after = {file.name: hub.storage.read(file.name) for file in hub.storage.list("tuf")}
    assert after == {name: data for name, data in before.items() if name in after}
    assert len(told["restored"]) == len(after)
    assert fetch(hub, tmp_path / "old client") == bundle == fetch(hub, tmp_path / "new client")
    assert json.loads(hub_keys("rebuild", str(hub.settings.folder), "--json").stdout) == {"restored": []}


def test_what_was_changed_in_the_storage_is_put_right(hub: Hub, tmp_path: Path) -> None:
    objects = [file.name for file in hub.storage.list("tuf/targets/objects")]
    hub.storage.write("tuf/metadata/timestamp.json", b"{}")
    hub.storage.write(objects[0], b"not what it was")
    assert len(hub.repository.rebuild(hub.blobs.read)) == 2
    assert fetch(hub, tmp_path / "client") is not None


def test_a_hub_from_before_the_ledger_fills_it_when_it_next_signs(hub: Hub, tmp_path: Path) -> None:
    with hub.database.write() as session:
        session.execute(delete(SignedFileRow))
    hub.repository.refresh()
    for file in list(hub.storage.list("tuf")):
        hub.storage.delete(file.name)
    hub.repository.rebuild(hub.blobs.read)
    assert fetch(hub, tmp_path / "client") is not None


def test_a_higher_threshold_for_the_same_keys_is_met_at_once(hub: Hub, tmp_path: Path) -> None:
    bundle = fetch(hub, tmp_path / "client")
    rotate(hub.repository, hub.keyring, "root")  # so that a key more than the root names is here
    draft = hub.repository.draft_root(edit_root([], [], [("root", 3)]))
    hub.repository.sign_root(draft)
    hub.repository.install_root(draft)
    second = hub.keyring.add("timestamp")
    draft = hub.repository.draft_root(edit_root([("timestamp", second)], [], [("timestamp", 2)]))
    hub.repository.sign_root(draft)
    assert hub.repository.install_root(draft) == ("timestamp",)
    assert fetch(hub, tmp_path / "client") == bundle
    hub.repository.refresh()
    assert fetch(hub, tmp_path / "client") == bundle
