import os
from pathlib import Path

import pytest

from manyheads_client.errors import NoBundleError
from manyheads_client.exporting import export_bundle
from manyheads_client.pack import open_pack
from manyheads_client.store import Store
from manyheads_client.update import pull
from manyheads_shared.digest import digest_file
from manyheads_shared.errors import DigestMismatchError, UsageError
from tests.support.hub_simulator import URL, HubSimulator
from tests.support.packs import entries_of, write_entries


@pytest.fixture
def hub() -> HubSimulator:
    return HubSimulator()


@pytest.fixture
def store(tmp_path: Path, hub: HubSimulator) -> Store:
    store = Store(tmp_path / "store")
    pull(store, URL, hub.root_bytes, hub)
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bundle.pack"


def test_a_pack_holds_exactly_what_the_hub_serves(hub: HubSimulator, store: Store, path: Path, tmp_path: Path) -> None:
    export_bundle(store, path)
    assert path.read_bytes() == write_entries(tmp_path / "expected", entries_of(hub)).read_bytes()


def test_the_same_bundle_gives_the_same_bytes_in_every_store(
    hub: HubSimulator, store: Store, path: Path, tmp_path: Path
) -> None:
    other = Store(tmp_path / "other")
    pull(other, URL, hub.root_bytes, hub)
    first = export_bundle(store, path)
    again = export_bundle(other, tmp_path / "again.pack")
    assert first.pack == again.pack == digest_file(path)
    assert path.read_bytes() == (tmp_path / "again.pack").read_bytes()
    assert path.stat().st_size == first.size_bytes


def test_an_earlier_bundle_is_exported_by_its_number(hub: HubSimulator, store: Store, path: Path) -> None:
    first = store.current()
    hub.publish_next("gamma")
    pull(store, URL, hub.root_bytes, hub)
    assert export_bundle(store, path, 1).held == first
    with open_pack(path) as pack:
        assert (pack.index.bundle, pack.index.metadata) == (first.bundle, first.metadata)
    with pytest.raises(NoBundleError, match=r"a bundle of this store \(1, 2\), got 3"):
        export_bundle(store, path, 3)


def test_an_empty_store_has_nothing_to_export(tmp_path: Path, path: Path) -> None:
    with pytest.raises(NoBundleError):
        export_bundle(Store(tmp_path / "none"), path)
    assert not path.exists()


def test_a_damaged_object_is_not_exported_and_the_old_pack_stays(hub: HubSimulator, store: Store, path: Path) -> None:
    path.write_bytes(b"old")
    store.object_path(hub.bundle.manifest.primary).write_bytes(b"rotten")
    with pytest.raises(DigestMismatchError):
        export_bundle(store, path)
    store.object_path(hub.bundle.manifest.primary).unlink()
    with pytest.raises(NoBundleError, match="is missing"):
        export_bundle(store, path)
    assert [path.read_bytes(), *path.parent.glob(".bundle*")] == [b"old"]


def test_what_a_killed_export_left_goes_with_the_next(store: Store, path: Path) -> None:
    left, users = path.with_name(".bundle.pack.abcd_123"), path.with_name(".bundle.pack.mine")
    left.touch()
    users.touch()
    export_bundle(store, path)
    assert (left.exists(), users.exists()) == (False, True)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_pack_takes_the_place_of_files_only(store: Store, path: Path, make: object) -> None:
    make(path)  # type: ignore[operator]
    with pytest.raises(UsageError, match="expected the name of a file"):
        export_bundle(store, path)


def test_a_pack_that_cannot_be_written_is_said_so(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        export_bundle(store, tmp_path / "file" / "pack")


def test_progress_counts_bytes_to_the_last_one(store: Store, path: Path) -> None:
    seen: list[tuple[int, int]] = []
    exported = export_bundle(store, path, on_bytes=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] < exported.size_bytes
