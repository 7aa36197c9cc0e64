"""What `verify` advises is true: whoever follows it has a store that verifies."""

from pathlib import Path

import pytest

from manyheads_client.store import HeldBundle, Store
from manyheads_client.update import pull
from manyheads_client.verification import Finding, check_store
from manyheads_shared.bundle import BundleManifest
from manyheads_shared.digest import Digest, hex_of
from tests.support.hub_simulator import URL, HubSimulator
from tests.support.packs import import_from


@pytest.fixture
def hub() -> HubSimulator:
    return HubSimulator()


@pytest.fixture
def store(tmp_path: Path, hub: HubSimulator) -> Store:
    """A store with two bundles: alpha and beta, then gamma alone."""
    store = Store(tmp_path / "store")
    pull(store, URL, hub.root_bytes, hub)
    hub.publish_next("gamma")
    pull(store, URL, hub.root_bytes, hub)
    return store


def manifest_of(store: Store, held: HeldBundle) -> BundleManifest:
    return BundleManifest.from_bytes(store.read_object(held.bundle))


def failed(store: Store) -> dict[str, Finding]:
    return {finding.subject: finding for finding in check_store(store) if not finding.holds}


def damage(store: Store, digest: Digest) -> str:
    store.object_path(digest).write_bytes(b"rotten")
    return f"object {hex_of(digest)}"


def test_what_the_current_bundle_needs_a_pull_fetches_again(store: Store, hub: HubSimulator) -> None:
    metadata = store.current().metadata
    manifest = manifest_of(store, store.current())
    for digest in (manifest.heads[0].head, store.current().bundle, metadata.targets, metadata.snapshot):
        subject = damage(store, digest)
        assert failed(store)[subject].detail.endswith("`manyheads pull` fetches it again")
    pull(store, URL, hub.root_bytes, hub)
    assert failed(store) == {}


@pytest.mark.parametrize("part", ["head", "manifest", "metadata"])
def test_an_old_bundle_that_lost_a_file_of_its_own_goes_by_its_record(store: Store, hub: HubSimulator, part: str) -> None:
    old = store.history()[0]
    digest = {
        "head": manifest_of(store, old).heads[0].head,
        "manifest": old.bundle,
        "metadata": old.metadata.targets,
    }[part]
    subject = damage(store, digest)
    pull(store, URL, hub.root_bytes, hub)  # does not help
    assert "only bundle 1 needs it" in failed(store)[subject].detail
    assert f"Bundle 1 can no longer be proven: no hub serves {digest}" in failed(store)["bundle 1"].detail
    assert str(store.record_path(old)) in failed(store)["bundle 1"].detail
    store.record_path(old).unlink()
    store.object_path(digest).unlink()
    assert failed(store) == {}


def test_a_file_two_bundles_share_is_mended_for_both(store: Store, hub: HubSimulator) -> None:
    damage(store, manifest_of(store, store.current()).primary)
    assert "The current bundle needs the same file: `manyheads pull`" in failed(store)["bundle 1"].detail
    pull(store, URL, hub.root_bytes, hub)
    assert failed(store) == {}


def test_what_an_imported_bundle_needs_its_pack_brings_back(hub: HubSimulator, tmp_path: Path) -> None:
    store, path = Store(tmp_path / "store"), tmp_path / "pack"
    imported = import_from(hub, store, path)
    for digest in (imported.held.metadata.targets, imported.held.bundle, manifest_of(store, imported.held).primary):
        subject = damage(store, digest)
        assert failed(store)[subject].detail.endswith("importing its pack again brings it back")
        import_from(hub, store, path)
        assert failed(store) == {}


def test_a_damaged_file_that_no_bundle_needs_may_go(store: Store) -> None:
    store.object_path(Digest("sha256:" + "0" * 64)).write_bytes(b"")
    assert "remove this file" in failed(store)["object " + "0" * 64].detail
