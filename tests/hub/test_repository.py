import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Metadata

from manyheads_hub.database import Database
from manyheads_hub.engines.sqlite import SqliteServer
from manyheads_hub.migrations.run import upgrade
from manyheads_hub.signing.keyring import MissingKeysError, create_keys
from manyheads_hub.signing.ledger import DatabaseLedger
from manyheads_hub.signing.repository import TufRepository
from manyheads_hub.signing.tuf_files import RepositoryStateError
from manyheads_hub.storage.directory import DirectoryStorage
from manyheads_hub.storage.location import S3Location
from manyheads_hub.storage.port import Storage
from manyheads_hub.storage.s3 import S3Storage
from manyheads_shared.bundle import object_target
from manyheads_shared.digest import digest_bytes, hex_of
from manyheads_shared.errors import DigestMismatchError, ManyheadsError
from manyheads_shared.keys import generate_key, write_private_key
from tests.support.grounds import STORAGES, new_storage
from tests.support.tuf_client import fetch_target, open_updater


class Hub:
    """A repository with its keys in a folder, a clock that can be moved, and clients of it."""

    def __init__(self, folder: Path, storage: Storage | None = None, *, age: int = 0) -> None:
        self.folder, self.storage = folder, storage or DirectoryStorage(folder)
        self.days_ago = age  # where the hub's clock stands; clients have the true time
        upgrade(Database(SqliteServer(folder / "hub.sqlite")))
        self.repository = self.open()
        self.root = self.repository.create()

    def open(self, storage: Storage | None = None) -> TufRepository:
        database = Database(SqliteServer(self.folder / "hub.sqlite"))
        return TufRepository(
            storage or self.storage,
            database.alone,
            DatabaseLedger(database),
            create_keys(self.folder / "keys"),
            clock=lambda: datetime.now(UTC) - timedelta(days=self.days_ago),
        )

    def fetch(self, path: str = "bundle.json", *, cache: str = "client") -> bytes | None:
        return fetch_target(open_updater(self.storage, self.root, self.folder / cache), path)

    def names(self) -> list[str]:
        return [file.name.removeprefix("tuf/metadata/") for file in self.storage.list("tuf/metadata")]

    def metadata(self, name: str) -> Metadata[Any]:
        return Metadata.from_bytes(self.storage.read(f"tuf/metadata/{name}"))


@pytest.fixture(params=STORAGES)
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hub]:
    storage = new_storage(request.param, tmp_path)
    yield Hub(tmp_path, storage)
    storage.close()


def objects(*contents: bytes) -> dict[str, bytes]:
    return {object_target(digest_bytes(data)): data for data in contents}


def test_a_client_finds_no_bundle_in_a_new_repository(hub: Hub) -> None:
    assert hub.fetch() is None
    assert hub.repository.newest_bundle() is None


def test_a_client_finds_the_published_bundle_and_its_objects(hub: Hub) -> None:
    hub.repository.publish(objects(b"head"), b"bundle 1")
    assert hub.fetch() == b"bundle 1"
    assert hub.fetch(object_target(digest_bytes(b"head"))) == b"head"
    assert hub.repository.newest_bundle() == digest_bytes(b"bundle 1")


def test_a_client_follows_from_bundle_to_bundle(hub: Hub) -> None:
    for number in range(1, 4):
        hub.repository.publish(objects(b"%d" % number), b"bundle %d" % number)
        assert hub.fetch() == b"bundle %d" % number


def test_objects_of_earlier_bundles_leave_the_metadata_and_stay_on_the_disk(hub: Hub) -> None:
    hub.repository.publish(objects(b"yanked", b"kept"), b"bundle 1")
    hub.repository.publish(objects(b"kept"), b"bundle 2")
    name = hex_of(digest_bytes(b"yanked"))
    assert hub.fetch(f"objects/{name}") is None
    assert hub.storage.read(f"tuf/targets/objects/{name}.{name}") == b"yanked"


def test_creating_again_changes_nothing(hub: Hub) -> None:
    hub.repository.publish({}, b"bundle 1")
    before = hub.names()
    assert hub.repository.create() == hub.root
    assert hub.names() == before
    assert hub.fetch() == b"bundle 1"


def test_an_object_under_a_wrong_digest_is_refused(hub: Hub) -> None:
    with pytest.raises(DigestMismatchError, match="objects/"):
        hub.repository.publish({object_target(digest_bytes(b"head")): b"another head"}, b"bundle 1")
    assert hub.fetch() is None


def test_stored_objects_are_not_asked_for_again_unless_they_are_damaged(hub: Hub) -> None:
    hub.repository.publish(objects(b"one", b"two"), b"bundle 1")
    hub.storage.write("tuf/targets/objects/{0}.{0}".format(hex_of(digest_bytes(b"two"))), b"tw?")
    asked = []

    class Lazy(dict[str, bytes]):
        def __getitem__(self, key: str) -> bytes:
            asked.append(key)
            return super().__getitem__(key)

    hub.repository.publish(Lazy(objects(b"one", b"two")), b"bundle 2")
    assert asked == [object_target(digest_bytes(b"two"))]
    assert hub.fetch(asked[0]) == b"two"


def test_publishing_without_the_offline_keys_is_refused_and_changes_nothing(hub: Hub) -> None:
    before = hub.names()
    (hub.folder / "keys" / "offline").rename(hub.folder / "safe")
    with pytest.raises(MissingKeysError, match="offline"):
        hub.repository.publish(objects(b"head"), b"bundle 1")
    assert hub.names() == before


def test_keys_of_another_hub_publish_nothing(hub: Hub) -> None:
    before = hub.names()
    own = hub.repository._files
    stranger = TufRepository(hub.storage, own._alone, own._ledger, create_keys(hub.folder / "stranger"))
    with pytest.raises(RepositoryStateError, match="are not those that this repository's root names"):
        stranger.publish({}, b"forged bundle")
    with pytest.raises(RepositoryStateError, match="Restore the hub's own keys"):
        stranger.refresh(everything=True)
    assert hub.names() == before


def test_one_targets_key_alone_convinces_no_client(hub: Hub) -> None:
    hub.repository.publish({}, b"bundle 1")
    targets = hub.metadata("2.targets.json")
    targets.signatures.popitem()
    hub.storage.write("tuf/metadata/2.targets.json", targets.to_bytes())
    resign_snapshot(hub)
    with pytest.raises(RepositoryError, match="targets was signed by 1/2 keys"):
        hub.fetch()


def resign_snapshot(hub: Hub) -> None:
    """What a thief of the online keys alone can do: name other targets in a new snapshot."""
    repository = hub.repository
    state = repository._files.read_state()
    snapshot = repository._sign_snapshot(state.root, state.targets)
    repository._sign_timestamp(state.root, snapshot, version=state.timestamp.signed.version + 1)


def test_every_role_is_signed_by_as_many_keys_as_its_threshold(hub: Hub) -> None:
    hub.repository.publish({}, b"bundle 1")
    counts = {
        name: len(hub.metadata(name).signatures)
        for name in ("1.root.json", "2.targets.json", "2.snapshot.json", "timestamp.json")
    }
    assert counts == {"1.root.json": 3, "2.targets.json": 2, "2.snapshot.json": 1, "timestamp.json": 1}


def test_the_lifetimes_are_a_year_90_days_a_week_and_a_day(hub: Hub) -> None:
    days = {expiry.role: round(expiry.left / timedelta(days=1)) for expiry in hub.repository.check_expiry()}
    assert days == {"timestamp": 1, "snapshot": 7, "targets": 90, "root": 365}


@pytest.mark.parametrize(("age", "role"), [(2, "timestamp"), (8, "timestamp"), (91, "timestamp"), (366, "root")])
def test_a_client_refuses_a_repository_that_nobody_refreshed(tmp_path: Path, age: int, role: str) -> None:
    hub = Hub(tmp_path, age=age)
    with pytest.raises(ExpiredMetadataError, match=role):
        hub.fetch()


@pytest.mark.parametrize(
    ("age", "renewed"),
    [
        (0, ("timestamp",)),
        (4, ("snapshot", "timestamp")),
        (50, ("targets", "snapshot", "timestamp")),
        (200, ("root", "targets", "snapshot", "timestamp")),
    ],
)
def test_refreshing_renews_what_is_half_over_and_clients_go_on(tmp_path: Path, age: int, renewed: tuple[str, ...]) -> None:
    hub = Hub(tmp_path, age=age)
    hub.repository.publish(objects(b"head"), b"bundle 1")
    hub.days_ago = 0
    assert hub.repository.due_roles() == renewed
    assert hub.repository.refresh() == renewed
    assert hub.fetch() == b"bundle 1"
    assert hub.fetch(object_target(digest_bytes(b"head"))) == b"head"


def test_refreshing_goes_on_without_the_offline_keys(tmp_path: Path) -> None:
    hub = Hub(tmp_path, age=60)
    hub.repository.publish({}, b"bundle 1")
    (hub.folder / "keys" / "offline").rename(hub.folder / "safe")
    hub.days_ago = 0
    assert hub.repository.refresh() == ("snapshot", "timestamp")
    assert hub.fetch() == b"bundle 1"
    with pytest.raises(MissingKeysError):
        hub.repository.refresh(everything=True)


@pytest.mark.parametrize("content", ["garbage", "another hub's key"])
def test_refreshing_goes_on_with_offline_keys_that_do_not_sign(tmp_path: Path, content: str) -> None:
    hub = Hub(tmp_path, age=200)
    hub.days_ago = 0
    for path in (tmp_path / "keys" / "offline").glob("*-?"):
        path.unlink()
        path.write_bytes(b"garbage") if content == "garbage" else write_private_key(path, generate_key())
    assert hub.repository.refresh() == ("snapshot", "timestamp")
    with pytest.raises(ManyheadsError):
        hub.repository.refresh(everything=True)


def test_a_role_is_late_when_a_person_or_the_server_should_have_acted(hub: Hub) -> None:
    def late(days: float) -> set[str]:
        found = hub.repository.check_expiry(datetime.now(UTC) + timedelta(days=days))
        return {expiry.role for expiry in found if expiry.is_late(timedelta(days=14))}

    assert late(0) == set()
    assert late(0.8) == {"timestamp"}
    assert late(6) == {"timestamp", "snapshot"}
    assert late(77) == {"timestamp", "snapshot", "targets"}
    assert late(352) == {"timestamp", "snapshot", "targets", "root"}


def test_a_damaged_or_missing_metadata_file_is_named(hub: Hub) -> None:
    hub.storage.write("tuf/metadata/timestamp.json", b"{")
    with pytest.raises(RepositoryStateError, match=r"timestamp.json is damaged"):
        hub.repository.check_expiry()
    hub.storage.delete("tuf/metadata/timestamp.json")
    with pytest.raises(RepositoryStateError, match=r"timestamp.json, found none"):
        hub.repository.publish({}, b"bundle")


def test_two_processes_at_once_take_turns(hub: Hub) -> None:
    def act(number: int) -> None:
        if number % 2:
            hub.open().refresh()
        else:
            hub.open().publish(objects(b"%d" % number), b"bundle %d" % number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(act, range(12)))
    assert len([name for name in hub.names() if name.endswith(".targets.json")]) == 1 + 6
    assert hub.metadata("timestamp.json").signed.version == 1 + 12
    assert str(hub.fetch()).startswith("b'bundle ")


def test_a_thousand_objects_are_published_and_published_again(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    many = objects(*(os.urandom(100) for _ in range(1000)))
    hub.repository.publish(many, b"bundle 1")
    hub.repository.publish(many, b"bundle 2")
    assert hub.fetch() == b"bundle 2"
    assert hub.fetch(list(many)[-1]) is not None


class DyingDirectory(DirectoryStorage):
    def __init__(self, root: Path, writes: int, moment: str) -> None:
        super().__init__(root)
        self.left, self.moment = iter(range(writes)), moment

    def write(self, name: str, data: bytes) -> None:
        if next(self.left, None) is None:
            if self.moment == "half-way":  # a part of the file, under another name
                path = self.root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_name(f".{path.name}.abc").write_bytes(data[:10])
            os._exit(9)
        super().write(name, data)


class DyingS3(S3Storage):
    def __init__(self, location: S3Location, writes: int, moment: str) -> None:
        super().__init__(location)
        self.left, self.moment = iter(range(writes)), moment

    def write(self, name: str, data: bytes) -> None:
        if next(self.left, None) is None:
            if self.moment == "half-way":  # a part of a file that is written in parts
                self._client.create_multipart_upload(**self._at(name))
            os._exit(9)
        super().write(name, data)


def killed_after(writes: int, act: Callable[[TufRepository], object], hub: Hub, moment: str) -> None:
    """Let a process of its own `act`, and end it without a word before it writes once more than `writes` times."""
    child = os.fork()
    if child == 0:
        try:
            if isinstance(hub.storage, S3Storage):
                act(hub.open(DyingS3(hub.storage.location, writes, moment)))
            else:
                act(hub.open(DyingDirectory(hub.folder, writes, moment)))
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


KILLS = [("directory", survives, moment) for survives in range(6) for moment in ("before", "half-way")]
KILLS += [("s3", survives, "half-way") for survives in (0, 3, 5)]


@pytest.mark.parametrize(
    ("hub", "survives", "moment"), KILLS, indirect=["hub"]
)  # objects, manifest, targets, snapshot, timestamp
def test_a_publish_killed_before_any_write_leaves_the_old_bundle_and_the_next_one_repairs_it(
    hub: Hub, survives: int, moment: str
) -> None:
    hub.repository.publish(objects(b"one"), b"bundle 1")
    killed_after(survives, lambda repository: repository.publish(objects(b"two", b"three"), b"bundle 2"), hub, moment)
    assert hub.fetch(cache="before") == b"bundle 1"
    hub.repository.publish(objects(b"two", b"three"), b"bundle 2")
    assert hub.fetch(cache="before") == b"bundle 2"
    assert hub.fetch(object_target(digest_bytes(b"three")), cache="new") == b"three"
    assert not list(hub.folder.rglob("tuf/**/.*"))
    assert hub.storage.sweep("tuf", datetime.now(UTC) + timedelta(hours=1)) == 0


@pytest.mark.parametrize(("hub", "survives"), [*(("directory", i) for i in range(4)), ("s3", 2)], indirect=["hub"])
def test_a_creation_killed_before_any_write_is_finished_by_the_next(hub: Hub, survives: int) -> None:
    for file in list(hub.storage.list("tuf")):
        hub.storage.delete(file.name)
    killed_after(survives, TufRepository.create, hub, "half-way")
    hub.root = hub.open().create()
    hub.open().publish({}, b"bundle 1")
    assert hub.fetch() == b"bundle 1"
