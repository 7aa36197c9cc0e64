from pathlib import Path

import pytest

from manyheads_client.bundle import Bundle
from manyheads_client.errors import NoBundleError, NotAStoreError, OwnerChangedError, StoreBusyError, WrongRootError
from manyheads_client.instrument import warn_of
from manyheads_client.store import Store
from manyheads_client.update import Pulled, pull
from manyheads_shared.errors import HubUnreachableError, ManifestError, UsageError
from manyheads_shared.keys import generate_key
from tests.support.hub_simulator import URL, HubSimulator
from tests.support.makers import make_bundle


@pytest.fixture
def hub() -> HubSimulator:
    return HubSimulator()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def pull_from(hub: HubSimulator, store: Store, **options: object) -> Pulled:
    return pull(store, URL, hub.root_bytes, hub, **options)  # type: ignore[arg-type]


def test_a_first_pull_brings_a_bundle_that_opens(hub: HubSimulator, store: Store) -> None:
    pulled = pull_from(hub, store)
    assert pulled.is_new
    assert pulled.new_owners == ("alpha", "beta")
    bundle = Bundle.open(store.folder)
    assert bundle.generators == ("alpha@1", "beta@1")
    assert bundle.verified.digest == hub.bundle.manifest.digest
    assert warn_of(bundle) == ()


def test_an_empty_store_says_how_to_fill_it(store: Store) -> None:
    with pytest.raises(NoBundleError, match="manyheads pull URL --root"):
        Bundle.open(store.folder)


def test_a_second_pull_fetches_nothing_but_the_timestamp(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    hub.requests.clear()
    pulled = pull_from(hub, store)
    assert not pulled.is_new
    assert hub.requests == ["/tuf/metadata/2.root.json", "/tuf/metadata/timestamp.json"]


def test_a_new_bundle_brings_only_what_is_new(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    old = hub.bundle
    hub.publish_next("alpha", "beta", "gamma")
    hub.requests.clear()
    pulled = pull_from(hub, store)
    new = [digest for digest in hub.bundle.objects if digest not in old.objects]
    assert pulled.fetched == len(new)
    assert len(hub.targets_requested()) == len(new) + 1  # and the manifest
    assert Bundle.open(store.folder).generators == ("alpha@1", "beta@1", "gamma@1")


def test_later_pulls_need_neither_address_nor_root(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    hub.publish_next()
    assert pull(store, None, None, hub).held.sequence == 2


def test_a_first_pull_without_root_or_address_is_refused(hub: HubSimulator, store: Store) -> None:
    with pytest.raises(UsageError, match="root"):
        pull(store, URL, None, hub)
    with pytest.raises(UsageError, match="address"):
        pull(store, None, hub.root_bytes, hub)


def test_history_says_which_bundle_was_current_when(hub: HubSimulator, store: Store) -> None:
    first = pull_from(hub, store).held
    pull_from(hub, store)
    hub.publish_next("alpha")
    second = pull_from(hub, store).held
    assert [held.bundle for held in store.history()] == [first.bundle, second.bundle]
    assert store.history()[0].adopted == first.adopted


def test_a_damaged_object_is_fetched_again(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    head = hub.bundle.manifest.heads[0].head
    store.object_path(head).write_bytes(b"rotten")
    hub.requests.clear()
    pull_from(hub, store)
    assert len(hub.targets_requested()) == 1
    Bundle.open(store.folder)


def test_new_root_keys_are_followed_from_the_old_root(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    hub.rotate_keys("root", "targets")
    hub.publish_next()
    hub.rotate_keys("snapshot", "timestamp")
    hub.bump("snapshot")
    assert pull_from(hub, store).held.sequence == 2
    assert len(store.current().metadata.roots) == 3
    Bundle.open(store.folder)


def test_the_roots_of_a_trusted_chain_are_all_accepted(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    hub.rotate_keys("root")
    newest = hub.files["/tuf/metadata/2.root.json"]
    pull(store, URL, newest, hub)
    assert store.read_root() == hub.root_bytes


def test_another_hubs_root_is_refused_on_the_first_pull(hub: HubSimulator, store: Store) -> None:
    with pytest.raises(WrongRootError, match="keys in the given root"):
        pull(store, URL, HubSimulator().root_bytes, hub)
    assert pull_from(hub, store).is_new  # the right root afterwards is fine


def test_another_hubs_root_is_refused_on_later_pulls(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    with pytest.raises(WrongRootError, match="another hub"):
        pull(store, URL, HubSimulator().root_bytes, hub)


@pytest.mark.parametrize("data", [b"", b"{}", b"not json", b'{"signed": {"_type": "root"}, "signatures": []}'])
def test_a_file_that_is_no_root_is_refused(hub: HubSimulator, store: Store, data: bytes) -> None:
    with pytest.raises(WrongRootError, match=r"expected the hub's root\.json"):
        pull(store, URL, data, hub)


def test_a_changed_owner_key_is_refused_and_named(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    hub.publish_next("alpha", owner=generate_key())
    with pytest.raises(OwnerChangedError, match="--accept-owner alpha") as caught:
        pull_from(hub, store)
    assert caught.value.generators == ("alpha",)
    assert store.current().sequence == 1


def test_a_changed_owner_key_is_pinned_once_the_user_accepts_it(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    hub.publish_next("alpha", owner=generate_key())
    assert pull_from(hub, store, accept_owners={"alpha"}).new_owners == ("alpha",)
    hub.publish_next("alpha")
    pull_from(hub, store)


def test_an_owner_is_remembered_while_the_generator_is_away(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    owner = hub.bundle.owner
    hub.publish_next("alpha")
    pull_from(hub, store)
    hub.publish_next("beta", owner=generate_key())
    with pytest.raises(OwnerChangedError, match="beta"):
        pull_from(hub, store)
    hub.publish_next("beta", owner=owner)
    pull_from(hub, store)


def test_a_broken_download_is_kept_and_resumed(hub: HubSimulator, store: Store) -> None:
    primary = hub.bundle.manifest.primary
    path = hub.path_of(f"objects/{primary.removeprefix('sha256:')}")
    hub.broken[path] = 2 * hub.chunk_bytes
    with pytest.raises(HubUnreachableError):
        pull_from(hub, store)
    assert store.partial_path(primary).stat().st_size == 2 * hub.chunk_bytes
    pull_from(hub, store)
    assert store.holds(primary)


@pytest.mark.parametrize("keep", [1000, None], ids=["its beginning", "all of it"])
def test_a_download_damaged_here_is_begun_anew_and_blamed_on_nobody(hub: HubSimulator, store: Store, keep: int | None) -> None:
    primary = hub.bundle.manifest.primary
    store.partial_path(primary).write_bytes(b"\0" * len(hub.bundle.objects[primary][:keep]))
    seen: list[tuple[int, int]] = []
    pulled = pull_from(hub, store, on_bytes=lambda done, total: seen.append((done, total)))
    assert store.holds(primary)
    assert seen[-1] == (pulled.fetched_bytes, pulled.fetched_bytes)


def test_a_new_generator_by_a_key_its_owner_was_seen_with_needs_no_question(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    hub.publish_next("alpha", owner=generate_key())
    pull_from(hub, store, accept_owners={"alpha"})
    hub.publish_next("alpha", "zeta")
    assert pull_from(hub, store).new_owners == ("zeta",)
    hub.publish_next("alpha", "eta", owner=generate_key())
    with pytest.raises(OwnerChangedError) as caught:
        pull_from(hub, store)
    assert caught.value.generators == ("alpha", "eta")
    assert pull_from(hub, store, accept_owners={"alpha", "eta"}).new_owners == ("alpha", "eta")


def test_a_store_in_use_is_not_changed_by_a_second_process(store: Store) -> None:
    with store.lock(), pytest.raises(StoreBusyError, match="another process"), store.lock(wait_seconds=0):
        pass


def test_a_damaged_history_names_the_file(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    record = store.folder / "bundles" / "0000000001.json"
    record.write_bytes(b"{}")
    with pytest.raises(ManifestError, match="Remove this one file and pull again"):
        pull_from(hub, store)
    record.unlink()
    pull_from(hub, store)


def test_a_store_that_is_a_file_is_refused(tmp_path: Path, hub: HubSimulator) -> None:
    (tmp_path / "store").touch()
    with pytest.raises(UsageError, match="expected a folder"):
        pull_from(hub, Store(tmp_path / "store"))


def test_a_folder_of_other_things_is_refused_and_left_alone(tmp_path: Path, hub: HubSimulator) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".env").write_text("SECRET=1")
    with pytest.raises(NotAStoreError, match=r"got one that holds \.env, \.git"):
        pull_from(hub, Store(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", ".git"]


def test_a_pull_sweeps_what_a_killed_one_left_and_nothing_of_the_users(hub: HubSimulator, store: Store) -> None:
    pull_from(hub, store)
    digest = hub.bundle.manifest.primary.removeprefix("sha256:")
    left = [".root.json.abcd_123", f"objects/.{digest}.abcdefgh", "bundles/.0000000001.json.12345678"]
    left += ["metadata/.timestamp.json.abcdefgh", "metadata/root_history/.1.root.json.abcdefgh"]
    users = [".env", ".root.json.backup-of-mine", "objects/.nfs0001", "bundles/.DS_Store"]
    for name in (*left, *users):
        (store.folder / name).touch()
    (store.folder / ".git").mkdir()
    pull_from(hub, store)
    assert [name for name in (*left, *users) if (store.folder / name).exists()] == users
    assert (store.folder / ".git").is_dir()


def test_a_first_pull_killed_early_leaves_a_folder_that_is_a_store(hub: HubSimulator, store: Store) -> None:
    (store.folder / "metadata").mkdir(parents=True)
    (store.folder / "lock").touch()
    (store.folder / ".root.json.abcd1234").touch()
    assert pull_from(hub, store).is_new


def test_progress_counts_bytes_to_the_last_one(hub: HubSimulator, store: Store) -> None:
    seen: list[tuple[int, int]] = []
    pulled = pull_from(hub, store, on_bytes=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (pulled.fetched_bytes, pulled.fetched_bytes)


def test_a_bundle_without_heads_is_a_bundle(store: Store) -> None:
    hub = HubSimulator(make_bundle(()))
    pull_from(hub, store)
    assert Bundle.open(store.folder).generators == ()
