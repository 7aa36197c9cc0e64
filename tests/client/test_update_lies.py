"""Every lie is refused with its own error, over the network and in a pack, and the store still opens at the bundle it had."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from manyheads_client.bundle import Bundle
from manyheads_client.errors import (
    EndlessDataError,
    ExpiredMetadataError,
    ForgedMetadataError,
    FreezeError,
    MalformedMetadataError,
    MissingTargetError,
    MixAndMatchError,
    OwnerChangedError,
    RollbackError,
    SequenceError,
)
from manyheads_client.instrument import warn_of
from manyheads_client.store import Store
from manyheads_client.update import pull
from manyheads_shared.bundle import BUNDLE_TARGET, object_target
from manyheads_shared.calibration import Calibration
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import (
    BundleError,
    DigestMismatchError,
    HubRefusedError,
    ManifestError,
    ManyheadsError,
    PrimaryMismatchError,
    SignatureError,
    StatementError,
)
from manyheads_shared.keys import generate_key
from tests.support.hub_simulator import URL, HubSimulator
from tests.support.makers import make_bundle, make_primary_bytes
from tests.support.packs import import_from


@pytest.fixture
def hub() -> HubSimulator:
    hub = HubSimulator()
    hub.publish_next("alpha", "beta")
    return hub


@pytest.fixture
def store(tmp_path: Path, hub: HubSimulator) -> Iterator[Store]:
    """A store that holds the hub's second bundle, and must still hold it when the test is over."""
    store = Store(tmp_path / "store")
    pull(store, URL, hub.root_bytes, hub)
    bundle = store.current().bundle
    yield store
    assert Bundle.open(store.folder).verified.digest == bundle


class Refuse(Protocol):
    def __call__(self, hub: HubSimulator, store: Store, error: type[ManyheadsError], match: str | None = None) -> None: ...


@pytest.fixture(params=["pulled", "imported"])
def refuse(request: pytest.FixtureRequest, tmp_path: Path) -> Refuse:
    """Pull, or import what a hub in this state would serve; exactly `error` comes, not a relative of it."""

    def bring(hub: HubSimulator, store: Store) -> None:
        if request.param == "pulled":
            pull(store, URL, hub.root_bytes, hub)
        else:
            import_from(hub, store, tmp_path / "pack", max_age=timedelta(0))

    def refuse(hub: HubSimulator, store: Store, error: type[ManyheadsError], match: str | None = None) -> None:
        with pytest.raises(error, match=match) as caught:
            bring(hub, store)
        assert caught.type is error

    return refuse


only_pulled = pytest.mark.parametrize("refuse", ["pulled"], indirect=True)


# old states


def test_a_replayed_old_state_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    old = dict(hub.files)
    hub.bump("timestamp")
    pull(store, URL, hub.root_bytes, hub)
    hub.replay(old)
    refuse(hub, store, RollbackError)


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_a_role_rolled_back_is_refused(hub: HubSimulator, store: Store, role: str, refuse: Refuse) -> None:
    hub.roll_back(role)
    refuse(hub, store, RollbackError, "older than what this store has seen")


def test_a_bundle_number_that_goes_back_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    hub.publish_changed(sequence=1, hub="test-hub")
    refuse(hub, store, SequenceError, "never goes back")


def test_another_bundle_under_a_used_number_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    hub.publish_changed(sequence=2, heads=hub.bundle.manifest.heads[:1])
    refuse(hub, store, SequenceError, "with other content")


def test_a_fast_forward_is_cured_by_new_keys(hub: HubSimulator, tmp_path: Path, refuse: Refuse) -> None:
    store = Store(tmp_path / "store")
    hub.fast_forward()
    pull(store, URL, hub.root_bytes, hub)
    for role in ("snapshot", "timestamp"):
        hub.signed[role].version = 5
        hub.write(role)
    refuse(hub, store, RollbackError)
    hub.rotate_keys("snapshot", "timestamp")
    hub.publish_next()
    assert pull(store, URL, hub.root_bytes, hub).held.sequence == 3


# dates


@only_pulled
def test_a_frozen_hub_is_refused_when_its_timestamp_runs_out(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    hub.signed["timestamp"].expires = (datetime.now(UTC) + timedelta(seconds=1.5)).replace(microsecond=0)
    hub.bump("timestamp")
    held = pull(store, URL, hub.root_bytes, hub).held  # still in time
    assert held.sequence == 2
    time.sleep(1.6)
    refuse(hub, store, FreezeError, "somebody holds updates back")
    assert "expired on" in warn_of(Bundle.open(store.folder))[0]


@pytest.mark.parametrize(
    ("role", "error"),
    [
        ("root", ExpiredMetadataError),
        ("targets", ExpiredMetadataError),
        ("snapshot", FreezeError),
        ("timestamp", FreezeError),
    ],
)
def test_an_expired_role_is_refused(
    hub: HubSimulator, store: Store, role: str, error: type[ManyheadsError], refuse: Refuse
) -> None:
    hub.expire(role)
    refuse(hub, store, error, role)


# signatures


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
@pytest.mark.parametrize("key_count", [0, 2], ids=["unsigned", "signed by strangers"])
def test_a_role_signed_by_nobody_or_strangers_is_refused(
    hub: HubSimulator, store: Store, role: str, key_count: int, refuse: Refuse
) -> None:
    hub.forge(role, key_count)
    refuse(hub, store, ForgedMetadataError)


@pytest.mark.parametrize("role", ["root", "targets"])
def test_one_signature_where_two_are_asked_for_is_refused(hub: HubSimulator, store: Store, role: str, refuse: Refuse) -> None:
    hub.under_sign(role)
    refuse(hub, store, ForgedMetadataError, "1/2 keys")


def test_an_owners_statement_by_a_strangers_key_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    bundle = make_bundle(("alpha", "beta"), sequence=3, primary_bytes=hub.bundle.objects[hub.bundle.manifest.primary])
    ours = hub.bundle.owner.public_key.keyid
    heads = tuple(head.model_copy(update={"owner_key": ours}) for head in bundle.manifest.heads)
    bundle.manifest = bundle.manifest.model_copy(update={"heads": heads, "owner_keys": hub.bundle.manifest.owner_keys})
    hub.publish(bundle)
    refuse(hub, store, SignatureError, "expected a signature by the key expected")


def test_a_new_generator_in_a_known_owners_name_by_another_key_is_refused(
    hub: HubSimulator, store: Store, refuse: Refuse
) -> None:
    forged = make_bundle(
        ("zeta",), sequence=3, primary_bytes=hub.bundle.objects[hub.bundle.manifest.primary], hub=hub.bundle.hub
    )
    hub.publish(forged)
    refuse(hub, store, OwnerChangedError, "zeta: key .* again with --accept-owner zeta")


def test_a_hubs_statement_by_a_strangers_key_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    bundle = hub.publish_next(hub=generate_key())
    hub.bundle = bundle
    hub.publish_changed(hub_key=make_bundle(()).manifest.hub_key)
    refuse(hub, store, SignatureError)


# contents


def _primary(hub: HubSimulator) -> str:
    return object_target(hub.bundle.manifest.primary)


def _new_head(hub: HubSimulator) -> str:
    return object_target(hub.bundle.manifest.heads[-1].head)


@pytest.mark.parametrize("target_of", [_new_head, lambda _: BUNDLE_TARGET], ids=["head", "manifest"])
def test_a_changed_file_is_refused(
    hub: HubSimulator, store: Store, target_of: Callable[[HubSimulator], str], refuse: Refuse
) -> None:
    hub.publish_next("alpha", "beta", "gamma")
    hub.corrupt(target_of(hub))
    refuse(hub, store, DigestMismatchError)


def test_another_generators_file_under_the_right_name_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    hub.publish_next("alpha", "beta", "gamma", "delta")
    gamma, delta = (object_target(entry.head) for entry in hub.bundle.manifest.heads[2:])
    hub.swap_files(gamma, delta)
    refuse(hub, store, DigestMismatchError)


def test_another_generators_head_in_a_well_signed_list_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    alpha, beta = hub.bundle.manifest.heads
    swapped = alpha.model_copy(update={"generator": beta.generator}), beta.model_copy(update={"generator": alpha.generator})
    hub.publish_changed(heads=swapped)
    refuse(hub, store, BundleError, "the head's own manifest says")


def test_a_statement_about_another_head_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    alpha, beta = hub.bundle.manifest.heads
    moved = alpha.model_copy(update={"owner_statement": beta.owner_statement})
    hub.publish_changed(heads=(moved, beta))
    refuse(hub, store, StatementError)


def test_a_head_for_another_primary_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    old = hub.bundle.manifest.heads
    hub.publish_next("alpha", "beta", primary_bytes=make_primary_bytes(seed=9))
    stale = tuple(
        entry.model_copy(update={"head": before.head}) for entry, before in zip(hub.bundle.manifest.heads, old, strict=True)
    )
    calibration = Calibration.from_bytes(hub.bundle.objects[hub.bundle.manifest.calibration])
    bands = {entry.head: calibration.detector for entry in stale}
    data = calibration.model_copy(update={"heads": bands}).to_bytes()
    hub.bundle.objects[digest_bytes(data)] = data
    hub.publish_changed(heads=stale, calibration=digest_bytes(data))
    refuse(hub, store, PrimaryMismatchError, "train it again")


def test_a_signed_list_with_a_wrong_digest_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    hub.publish_next("alpha", "beta", "gamma")
    targets = hub.signed["targets"].targets
    targets[_new_head(hub)].hashes["sha256"] = targets[_primary(hub)].hashes["sha256"]
    hub.bump("targets")
    refuse(hub, store, DigestMismatchError)


def test_a_file_missing_in_the_list_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    hub.publish_next("alpha", "beta", "gamma")
    hub.drop(_new_head(hub), unsigned=True)
    refuse(hub, store, MissingTargetError)


@only_pulled
def test_a_file_missing_on_the_disk_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    hub.publish_next("alpha", "beta", "gamma")
    hub.drop(_new_head(hub), unsigned=False)
    refuse(hub, store, MissingTargetError)


@pytest.mark.parametrize("role", ["targets", "snapshot"])
def test_metadata_of_two_moments_is_refused(hub: HubSimulator, store: Store, role: str, refuse: Refuse) -> None:
    before = dict(hub.files)
    hub.publish_next("alpha", "beta", "gamma")
    hub.mix(role, before)
    refuse(hub, store, MixAndMatchError)


def test_an_older_snapshot_under_a_new_name_is_refused_without_hashes(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    before = dict(hub.files)
    hub.publish_next("alpha", "beta", "gamma")
    hub.mix("snapshot", before)
    hub.signed["timestamp"].snapshot_meta.hashes = None
    hub.signed["timestamp"].snapshot_meta.length = None
    hub.write_as_is("timestamp")
    refuse(hub, store, MixAndMatchError, "different moments")


def test_a_manifest_that_is_none_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    hub.put(BUNDLE_TARGET, b'{"format": "manyheads.bundle/1"}')
    hub.bump("targets")
    refuse(hub, store, ManifestError)


def test_metadata_that_is_none_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    hub.files["/tuf/metadata/timestamp.json"] = b"<html>It works!</html>"
    refuse(hub, store, MalformedMetadataError)


@only_pulled
def test_an_address_without_metadata_is_refused(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    hub.files.clear()
    refuse(hub, store, HubRefusedError, "Is this the address of a hub")


# no end


@only_pulled
@pytest.mark.parametrize("name", ["timestamp.json", "2.root.json"])
def test_endless_metadata_is_refused(hub: HubSimulator, store: Store, name: str, refuse: Refuse) -> None:
    hub.rotate_keys("root")
    hub.endless.add(f"/tuf/metadata/{name}")
    refuse(hub, store, EndlessDataError)


@only_pulled
def test_an_endless_file_is_refused_and_not_kept(hub: HubSimulator, store: Store, refuse: Refuse) -> None:
    hub.publish_next("alpha", "beta", "gamma")
    hub.endless.add(hub.path_of(_new_head(hub)))
    refuse(hub, store, EndlessDataError)
    assert not store.partial_path(hub.bundle.manifest.heads[-1].head).exists()


def _new_statement(hub: HubSimulator) -> str:
    return object_target(hub.bundle.manifest.heads[-1].owner_statement)


@pytest.mark.parametrize(
    ("target_of", "length"),
    [(_new_head, 65 << 20), (_new_statement, (4 << 20) + 1), (_primary, (4 << 30) + 1)],
    ids=["head", "statement", "primary"],
)
def test_a_file_said_to_be_larger_than_its_kind_may_be_is_not_fetched(
    hub: HubSimulator, store: Store, target_of: Callable[[HubSimulator], str], length: int, refuse: Refuse
) -> None:
    hub.publish_next("alpha", "beta", "gamma")
    hub.signed["targets"].targets[target_of(hub)].length = length
    hub.bump("targets")
    hub.requests.clear()
    refuse(hub, store, EndlessDataError)
    assert len(hub.targets_requested()) <= 1  # the manifest
