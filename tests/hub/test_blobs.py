"""Blobs: whole or absent, named by digest, written once."""

from pathlib import Path

import pytest

from manyheads_hub.blobs import BlobDamagedError, BlobMissingError, BlobSequence, DirectoryBlobStore
from manyheads_shared.digest import digest_bytes, hex_of


@pytest.fixture
def store(tmp_path: Path) -> DirectoryBlobStore:
    return DirectoryBlobStore(tmp_path)


def test_what_is_put_is_read_by_digest(store: DirectoryBlobStore) -> None:
    digest = store.put(b"weights")
    assert (digest, store.read(digest), store.size(digest)) == (digest_bytes(b"weights"), b"weights", 7)
    with store.open(digest) as stream:
        assert stream.read(3) == b"wei"


def test_the_same_bytes_twice_are_written_once(store: DirectoryBlobStore, tmp_path: Path) -> None:
    digest = store.put(b"weights")
    path = tmp_path / hex_of(digest)[:2] / hex_of(digest)
    before = path.stat().st_ino
    assert store.put(b"weights") == digest
    assert path.stat().st_ino == before


def test_bytes_that_the_disk_changed_are_refused(store: DirectoryBlobStore, tmp_path: Path) -> None:
    digest = store.put(b"weights")
    (tmp_path / hex_of(digest)[:2] / hex_of(digest)).write_bytes(b"weighty")
    with pytest.raises(BlobDamagedError, match="restore it"):
        store.read(digest)


def test_a_file_is_taken_over_and_a_second_copy_is_dropped(store: DirectoryBlobStore, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).write_bytes(b"weights")
        store.adopt(tmp_path / name, digest_bytes(b"weights"))
        assert not (tmp_path / name).exists()
    assert store.read(digest_bytes(b"weights")) == b"weights"


def test_a_lost_blob_is_named(store: DirectoryBlobStore) -> None:
    digest = digest_bytes(b"never put")
    for ask in (store.read, store.open, store.size):
        with pytest.raises(BlobMissingError, match=digest):
            ask(digest)
    assert not store.exists(digest)


def test_a_sequence_reads_each_blob_when_it_is_asked_for(store: DirectoryBlobStore) -> None:
    proofs = BlobSequence(store, [digest_bytes(b"never put"), store.put(b"a"), store.put(b"b")])
    assert (len(proofs), proofs[1], list(proofs[1:])) == (3, b"a", [b"a", b"b"])
