"""Kept metadata is verified without a network; whatever it holds, the answer is a chain or a refusal."""

import json
from typing import Any

import pytest
from tuf.api.metadata import Metadata, MetaFile, Snapshot, Timestamp

from manyheads_client.errors import MalformedMetadataError, MixAndMatchError, UpdateRefusedError
from manyheads_client.store import HeldMetadata
from manyheads_client.trust import Chain, verify_chain
from manyheads_shared.digest import digest_bytes
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import SIGNER


def chain_of(*files: bytes) -> Chain:
    """Verify roots, timestamp, snapshot and targets, as kept objects."""
    *roots, timestamp, snapshot, targets = map(digest_bytes, files)
    held = HeldMetadata(roots=tuple(roots), timestamp=timestamp, snapshot=snapshot, targets=targets)
    return verify_chain(files[0], held, {digest_bytes(file): file for file in files}.__getitem__)


def sign(signed: Any) -> bytes:
    metadata = Metadata(signed)
    metadata.sign(SIGNER)
    return metadata.to_bytes()


@pytest.fixture
def files() -> list[bytes]:
    """Two roots, timestamp, snapshot and targets that belong together."""
    return seeds("metadata")[0].split(b"\n")


def test_a_chain_that_belongs_together_is_verified(files: list[bytes]) -> None:
    assert set(chain_of(*files).expires) == {"root", "timestamp", "snapshot", "targets"}


def test_a_well_signed_snapshot_that_names_no_targets_is_refused(files: list[bytes]) -> None:
    expires = chain_of(*files).expires["snapshot"]
    snapshot = Snapshot(expires=expires)
    snapshot.meta = {}
    files[3] = sign(snapshot)
    files[2] = sign(Timestamp(expires=expires, snapshot_meta=MetaFile.from_data(1, files[3], ["sha256"])))
    with pytest.raises(MalformedMetadataError, match=r"expected a snapshot that names targets\.json"):
        chain_of(*files)


def test_a_snapshot_other_than_the_timestamp_names_is_refused(files: list[bytes]) -> None:
    files[3] = sign(Snapshot(expires=chain_of(*files).expires["snapshot"], version=2))
    with pytest.raises(MixAndMatchError):
        chain_of(*files)


def test_metadata_nested_without_end_is_refused(files: list[bytes]) -> None:
    files[4] = b'{"signed":' + b"[" * 100_000
    with pytest.raises(UpdateRefusedError):
        chain_of(*files)


def test_a_root_without_signatures_is_refused(files: list[bytes]) -> None:
    files[0] = json.dumps(json.loads(files[0]) | {"signatures": []}).encode()
    with pytest.raises(UpdateRefusedError):
        chain_of(*files)
