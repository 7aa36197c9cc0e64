"""Blobs: whole or absent, named by digest, written once; in a directory and in S3."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads_hub.blobs import BlobDamagedError, BlobMissingError, Blobs, BlobSequence, blob_name
from manyheads_hub.storage.port import Storage
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import DigestMismatchError
from tests.support.grounds import STORAGES, new_storage


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    storage = new_storage(request.param, tmp_path)
    yield storage
    storage.close()


@pytest.fixture
def blobs(storage: Storage) -> Blobs:
    return Blobs(storage)


def test_what_is_put_is_read_by_digest(blobs: Blobs) -> None:
    digest = blobs.put(b"weights")
    assert (digest, blobs.read(digest)) == (digest_bytes(b"weights"), b"weights")


def test_the_same_bytes_twice_are_written_once(blobs: Blobs, storage: Storage) -> None:
    blobs.put(b"weights")
    before = list(storage.list("blobs"))
    blobs.put(b"weights")
    blobs.put_stream(digest_bytes(b"weights"), [b"wei", b"ghts"])
    assert list(storage.list("blobs")) == before


def test_bytes_that_the_storage_changed_are_refused(blobs: Blobs, storage: Storage) -> None:
    digest = blobs.put(b"weights")
    storage.write(blob_name(digest), b"weighty")
    with pytest.raises(BlobDamagedError, match="restore it"):
        blobs.read(digest)


def test_a_stream_becomes_a_blob_only_if_it_is_what_its_digest_names(blobs: Blobs) -> None:
    digest = digest_bytes(b"weights")
    with pytest.raises(DigestMismatchError):
        blobs.put_stream(digest, [b"other ", b"weights"])
    assert not blobs.exists(digest)
    blobs.put_stream(digest, [b"wei", b"ghts"])
    assert blobs.read(digest) == b"weights"


def test_other_bytes_are_refused_even_where_the_right_ones_are_kept(blobs: Blobs) -> None:
    digest = blobs.put(b"weights")
    with pytest.raises(DigestMismatchError):
        blobs.put_stream(digest, [b"other weights"])
    assert blobs.read(digest) == b"weights"


def test_a_lost_blob_is_named(blobs: Blobs) -> None:
    digest = digest_bytes(b"never put")
    with pytest.raises(BlobMissingError, match=digest):
        blobs.read(digest)
    assert not blobs.exists(digest)


def test_a_sequence_reads_each_blob_when_it_is_asked_for(blobs: Blobs) -> None:
    proofs = BlobSequence(blobs, [digest_bytes(b"never put"), blobs.put(b"a"), blobs.put(b"b")])
    assert (len(proofs), proofs[1], list(proofs[1:])) == (3, b"a", [b"a", b"b"])
