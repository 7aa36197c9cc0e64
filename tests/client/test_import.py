import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from manyheads_client.bundle import Bundle
from manyheads_client.errors import (
    ExpiredMetadataError,
    FreezeError,
    MixAndMatchError,
    NotAStoreError,
    OwnerChangedError,
    PackError,
    RollbackError,
    WrongRootError,
)
from manyheads_client.exporting import export_bundle
from manyheads_client.importing import Imported, import_pack
from manyheads_client.instrument import warn_of
from manyheads_client.pack import open_pack
from manyheads_client.store import Store
from manyheads_client.update import pull
from manyheads_client.verification import check_store
from manyheads_shared.errors import DigestMismatchError, ManyheadsError, UsageError
from manyheads_shared.keys import generate_key
from tests.support.hub_simulator import URL, HubSimulator
from tests.support.packs import entries_of, import_from, write_entries

DAY = timedelta(days=1)


@pytest.fixture
def hub() -> HubSimulator:
    return HubSimulator()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pack"


def import_file(path: Path, store: Store, root: bytes | None = None, **options: object) -> Imported:
    with open_pack(path) as pack:
        return import_pack(store, pack, root, **options)  # type: ignore[arg-type]


def tree(store: Store) -> dict[str, bytes]:
    """Every file of a store."""
    return {str(path): path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}


def ago(**time: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**time)


def test_what_one_store_exports_another_imports(hub: HubSimulator, store: Store, path: Path, tmp_path: Path) -> None:
    pulled = Store(tmp_path / "pulled")
    pull(pulled, URL, hub.root_bytes, hub)
    exported = export_bundle(pulled, path)
    imported = import_file(path, store, hub.root_bytes)
    assert imported.is_new
    assert imported.new_owners == ("alpha", "beta")
    assert (imported.pack, imported.held.bundle) == (exported.pack, exported.held.bundle)
    assert Bundle.open(store.folder).generators == ("alpha@1", "beta@1")
    assert all(finding.holds for finding in check_store(store))


def test_an_imported_bundle_is_exported_to_the_byte(hub: HubSimulator, store: Store, path: Path, tmp_path: Path) -> None:
    import_from(hub, store, path)
    export_bundle(store, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_an_import_uses_no_network(hub: HubSimulator, store: Store, path: Path, tmp_path: Path) -> None:
    """Nobody as much as asks for an address; and, where the machine lets us, without even a loopback."""
    write_entries(path, entries_of(hub))
    (tmp_path / "root.json").write_bytes(hub.root_bytes)
    code = """if True:
        import sys
        def refuse(event, arguments):
            if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
                raise SystemExit(f"network: {event} {arguments}")
        sys.addaudithook(refuse)
        from manyheads_client.cli import main
        main()"""
    arguments: list[str | Path] = ["import", path, "--root", tmp_path / "root.json", "--store", store.folder]
    may = shutil.which("unshare") and subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0
    alone = ["unshare", "--net"] if may else []
    done = subprocess.run([*alone, sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Bundle.open(store.folder).generators == ("alpha@1", "beta@1")


def test_the_same_pack_twice_changes_nothing(hub: HubSimulator, store: Store, path: Path) -> None:
    import_from(hub, store, path)
    before = tree(store)
    again = import_from(hub, store, path)
    assert (again.is_new, again.copied, again.new_owners) == (False, 0, ())
    assert tree(store) == before


def test_a_dry_run_verifies_and_writes_nothing(hub: HubSimulator, store: Store, path: Path) -> None:
    tried = import_from(hub, store, path, dry_run=True)
    assert tried.is_new
    assert not store.folder.exists()
    import_from(hub, store, path)
    before = tree(store)
    hub.publish_next("gamma")
    assert import_from(hub, store, path, dry_run=True).held.sequence == 2
    hub.publish_next("gamma", owner=generate_key())
    with pytest.raises(OwnerChangedError):
        import_from(hub, store, path, dry_run=True)
    assert tree(store) == before


def test_only_what_is_new_is_copied(hub: HubSimulator, store: Store, path: Path) -> None:
    import_from(hub, store, path)
    old = set(hub.bundle.objects)
    hub.publish_next("alpha", "beta", "gamma")
    assert import_from(hub, store, path).copied == len(hub.bundle.objects.keys() - old)


def test_progress_counts_bytes_to_the_last_one(hub: HubSimulator, store: Store, path: Path) -> None:
    seen: list[tuple[int, int]] = []
    import_from(hub, store, path, on_bytes=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] >= 2 * sum(map(len, hub.bundle.objects.values()))


# which root


def test_a_new_store_needs_the_root(hub: HubSimulator, store: Store, path: Path) -> None:
    write_entries(path, entries_of(hub))
    with pytest.raises(UsageError, match=r"manyheads import .*pack --root root\.json"):
        import_file(path, store)


def test_another_hubs_root_is_refused(hub: HubSimulator, store: Store, path: Path) -> None:
    write_entries(path, entries_of(hub))
    with pytest.raises(WrongRootError, match="keys in the given root"):
        import_file(path, store, HubSimulator().root_bytes)
    import_file(path, store, hub.root_bytes)
    with pytest.raises(WrongRootError, match="another hub"):
        import_file(path, store, HubSimulator().root_bytes)


def test_another_hubs_pack_is_refused(hub: HubSimulator, store: Store, path: Path) -> None:
    import_from(hub, store, path)
    write_entries(path, entries_of(HubSimulator()))
    with pytest.raises(ManyheadsError) as caught:
        import_file(path, store)
    assert caught.value.exit_code == 3


def test_new_root_keys_are_followed_from_any_root_that_was_given(hub: HubSimulator, path: Path, tmp_path: Path) -> None:
    for _ in range(2):
        hub.rotate_keys("root", "targets", "timestamp")
    hub.publish_next("gamma")
    for version in (1, 2, 3):
        store = Store(tmp_path / f"store-{version}")
        write_entries(path, entries_of(hub))
        imported = import_file(path, store, hub.files[f"/tuf/metadata/{version}.root.json"])
        assert len(imported.held.metadata.roots) == 4 - version
        assert all(finding.holds for finding in check_store(store))


def test_a_pack_whose_roots_begin_too_late_says_so(hub: HubSimulator, store: Store, path: Path, tmp_path: Path) -> None:
    hub.rotate_keys("root")
    hub.rotate_keys("root")
    hub.bump("targets")
    late = Store(tmp_path / "late")
    pull(late, URL, hub.files["/tuf/metadata/3.root.json"], hub)
    export_bundle(late, path)
    with pytest.raises(WrongRootError, match="begins at root 3, and the roots known here end at 1"):
        import_file(path, store, hub.root_bytes)


def test_a_root_that_the_store_has_seen_counts_where_the_pack_knows_an_older_one(
    hub: HubSimulator, store: Store, path: Path
) -> None:
    write_entries(path, entries_of(hub))
    pull(store, URL, hub.root_bytes, hub)
    hub.rotate_keys("timestamp")
    hub.bump("timestamp")
    pull(store, URL, hub.root_bytes, hub)
    with pytest.raises(ManyheadsError, match="not signed as this store's root asks"):
        import_file(path, store)


# how old


def test_a_pack_past_its_date_is_imported_and_every_record_says_so(hub: HubSimulator, store: Store, path: Path) -> None:
    hub.expire("snapshot", ago(days=40, hours=1))
    imported = import_from(hub, store, path)
    assert imported.overdue.days == 40
    assert "(snapshot) expired on" in warn_of(Bundle.open(store.folder))[0]
    assert "40 days before" in warn_of(Bundle.open(store.folder))[0]


def test_a_pack_longer_past_its_date_than_it_may_be_is_refused(hub: HubSimulator, store: Store, path: Path) -> None:
    hub.expire("timestamp", ago(days=5, hours=1))
    with pytest.raises(FreezeError, match="at most 5 days past its date"):
        import_from(hub, store, path, max_age=5 * DAY)
    assert import_from(hub, store, path, max_age=6 * DAY).overdue.days == 5


@pytest.mark.parametrize("role", ["root", "targets"])
def test_what_people_signed_until_a_date_ends_with_it(hub: HubSimulator, store: Store, path: Path, role: str) -> None:
    hub.expire(role)
    with pytest.raises(ExpiredMetadataError, match=f"the {role} metadata expired on"):
        import_from(hub, store, path)


def test_what_the_store_trusts_already_may_be_imported_again_after_its_date(
    hub: HubSimulator, store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_from(hub, store, path)

    class Later(datetime):
        @classmethod
        def now(cls, _: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + 400 * DAY

    monkeypatch.setattr("manyheads_client.importing.datetime", Later)
    store.object_path(hub.bundle.manifest.primary).unlink()
    assert not import_file(path, store).is_new
    hub.bump("timestamp")
    with pytest.raises(ExpiredMetadataError):
        import_from(hub, store, path)


def test_an_older_pack_is_refused(hub: HubSimulator, store: Store, path: Path) -> None:
    old = entries_of(hub)
    hub.publish_next("gamma")
    import_from(hub, store, path)
    before = tree(store)
    write_entries(path, old)
    with pytest.raises(RollbackError, match="older than what this store has seen"):
        import_file(path, store)
    assert tree(store) == before


def test_another_timestamp_under_a_number_that_was_seen_is_refused(hub: HubSimulator, store: Store, path: Path) -> None:
    import_from(hub, store, path)
    hub.signed["timestamp"].expires += DAY
    hub.write("timestamp")
    with pytest.raises(RollbackError, match="Another timestamp"):
        import_from(hub, store, path)


def test_a_fast_forward_is_cured_by_new_keys(hub: HubSimulator, store: Store, path: Path) -> None:
    hub.fast_forward()
    import_from(hub, store, path)
    for role in ("snapshot", "timestamp"):
        hub.signed[role].version = 5
        hub.write(role)
    with pytest.raises(RollbackError):
        import_from(hub, store, path)
    hub.rotate_keys("snapshot", "timestamp")
    hub.publish_next()
    assert import_from(hub, store, path).held.sequence == 2


# by the network and by files in turn


def test_pulls_and_imports_into_one_store_follow_each_other(hub: HubSimulator, store: Store, path: Path) -> None:
    import_from(hub, store, path)
    with pytest.raises(UsageError, match="address"):
        pull(store, None, None, hub)
    hub.publish_next("beta", "gamma")
    assert pull(store, URL, None, hub).is_new
    hub.rotate_keys("root", "timestamp")
    hub.publish_next("gamma")
    imported = import_from(hub, store, path)
    assert (imported.is_new, imported.held.url, imported.held.verified) == (True, URL, None)
    hub.requests.clear()
    confirmed = pull(store, None, None, hub)
    assert not confirmed.is_new
    assert hub.requests == ["/tuf/metadata/3.root.json", "/tuf/metadata/timestamp.json"]
    assert confirmed.held.pack == imported.pack
    assert confirmed.held.verified is not None
    assert [held.sequence for held in store.history()] == [1, 2, 3]
    assert all(finding.holds for finding in check_store(store))


def test_a_pull_after_a_late_import_asks_for_what_is_in_date(hub: HubSimulator, store: Store, path: Path) -> None:
    hub.expire("timestamp", ago(days=3))
    import_from(hub, store, path)
    with pytest.raises(FreezeError):
        pull(store, URL, None, hub)
    hub.expire("timestamp", datetime.now(UTC).replace(microsecond=0) + DAY)
    pull(store, URL, None, hub)
    assert warn_of(Bundle.open(store.folder)) == ()


def test_a_pull_refuses_what_is_older_than_an_import(hub: HubSimulator, store: Store, path: Path) -> None:
    old = dict(hub.files)
    hub.publish_next("gamma")
    import_from(hub, store, path)
    hub.replay(old)
    with pytest.raises(RollbackError):
        pull(store, URL, None, hub)


def test_what_a_pull_saw_and_refused_counts_against_an_import(hub: HubSimulator, store: Store, path: Path) -> None:
    pull(store, URL, hub.root_bytes, hub)
    old = entries_of(hub)
    hub.publish_next("alpha", owner=generate_key())
    with pytest.raises(OwnerChangedError):
        pull(store, URL, None, hub)
    write_entries(path, old)
    with pytest.raises(RollbackError):
        import_file(path, store)


def test_an_owner_pinned_by_a_pull_counts_in_an_import(hub: HubSimulator, store: Store, path: Path) -> None:
    pull(store, URL, hub.root_bytes, hub)
    hub.publish_next("alpha", owner=generate_key())
    with pytest.raises(OwnerChangedError, match="run the command again with --accept-owner alpha"):
        import_from(hub, store, path)
    assert import_from(hub, store, path, accept_owners={"alpha"}).new_owners == ("alpha",)


def test_what_a_failed_first_pull_left_does_not_matter(hub: HubSimulator, store: Store, path: Path) -> None:
    other = HubSimulator()
    other.publish_next("gamma")
    other.corrupt("bundle.json")
    with pytest.raises(ManyheadsError):
        pull(store, URL, other.root_bytes, other)
    assert import_from(hub, store, path).is_new
    assert not pull(store, URL, None, hub).is_new


# whole and nothing else


def test_an_object_too_many_is_refused(hub: HubSimulator, store: Store, path: Path) -> None:
    write_entries(
        path, sorted([*entries_of(hub), ("objects/" + "0" * 64, b"foreign")], key=lambda entry: entry[0] != "pack.json")
    )
    index, *objects = entries_of(hub)
    write_entries(path, [index, *sorted([*objects, ("objects/" + "0" * 64, b"foreign")])])
    with pytest.raises(PackError, match="nothing else, got objects/0000"):
        import_file(path, store, hub.root_bytes)


def test_an_object_too_few_is_refused(hub: HubSimulator, store: Store, path: Path) -> None:
    lost = "objects/" + hub.bundle.manifest.heads[0].owner_statement.removeprefix("sha256:")
    write_entries(path, [entry for entry in entries_of(hub) if entry[0] != lost])
    with pytest.raises(PackError, match=f"needs {lost}, which the pack lacks"):
        import_file(path, store, hub.root_bytes)


@pytest.mark.parametrize("part", ["metadata", "bundle", "head", "statement"])
def test_changed_content_is_refused(hub: HubSimulator, store: Store, path: Path, part: str) -> None:
    import_from(hub, store, path)
    before, held = tree(store), store.current()
    hub.publish_next("gamma")
    head = hub.bundle.manifest.heads[0]
    with open_pack(write_entries(path, entries_of(hub))) as pack:
        named = pack.index
    digest = {"metadata": named.metadata.targets, "bundle": named.bundle, "head": head.head, "statement": head.hub_statement}[
        part
    ]
    name = "objects/" + digest.removeprefix("sha256:")
    write_entries(path, [(each, data[:-1] + b"!" if each == name else data) for each, data in entries_of(hub)])
    with pytest.raises(DigestMismatchError, match=name):
        import_file(path, store)
    assert (tree(store), store.current()) == (before, held)


def test_an_object_larger_than_signed_is_refused_before_it_is_read(hub: HubSimulator, store: Store, path: Path) -> None:
    name = "objects/" + hub.bundle.manifest.heads[0].head.removeprefix("sha256:")
    write_entries(path, [(each, data + bytes(1 << 20) if each == name else data) for each, data in entries_of(hub)])
    with pytest.raises(PackError, match="as the hub signed"):
        import_file(path, store, hub.root_bytes)


def test_metadata_larger_than_any_is_refused_before_it_is_read(hub: HubSimulator, store: Store, path: Path) -> None:
    name = "objects/" + hub.bundle.manifest.digest.removeprefix("sha256:")
    write_entries(path, [(each, data + bytes(17 << 20) if each == name else data) for each, data in entries_of(hub)])
    with pytest.raises(PackError, match="may have 16777216 bytes"):
        import_file(path, store, hub.root_bytes)


def test_more_roots_than_anybody_follows_are_refused(hub: HubSimulator, store: Store, path: Path) -> None:
    (_, index), *objects = entries_of(hub)
    root = index[index.index(b'"roots":[') + 9 :].split(b"]")[0]
    write_entries(path, [("pack.json", index.replace(root, b",".join([root] * 258))), *objects])
    with pytest.raises(PackError, match="at most 257 roots"):
        import_file(path, store, hub.root_bytes)


def test_a_bundle_that_the_metadata_does_not_name_is_refused(hub: HubSimulator, store: Store, path: Path) -> None:
    (_, index), *objects = entries_of(hub)
    other = hub.bundle.manifest.primary.encode()
    write_entries(path, [("pack.json", index.replace(hub.bundle.manifest.digest.encode(), other)), *objects])
    with pytest.raises(MixAndMatchError, match="names another bundle"):
        import_file(path, store, hub.root_bytes)


def test_a_folder_of_other_things_is_left_alone(hub: HubSimulator, path: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    for dry_run in (True, False):
        with pytest.raises(NotAStoreError):
            import_from(hub, Store(tmp_path / "mine"), path, dry_run=dry_run)
    with pytest.raises(NotAStoreError):
        import_from(hub, Store(tmp_path / "mine" / "notes.txt"), path, dry_run=True)
    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_record_of_the_first_version_is_read(hub: HubSimulator, store: Store, path: Path) -> None:
    held = pull(store, URL, hub.root_bytes, hub).held
    record = held.to_bytes().replace(b"held-bundle/2", b"held-bundle/1").replace(b'"pack":null,', b"")
    store.record_path(held).write_bytes(record)
    assert store.current() == held
    hub.publish_next("gamma")
    assert import_from(hub, store, path).held.url == URL
