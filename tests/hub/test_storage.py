"""The contract of a storage, kept by a directory and by S3."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from manyheads_hub.errors import UnavailableError
from manyheads_hub.storage.directory import DirectoryStorage
from manyheads_hub.storage.port import MAX_NAME, Storage, StoredFileMissingError, is_name
from manyheads_hub.storage.s3 import PART_BYTES, S3Storage
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import UsageError
from tests.support.grounds import STORAGES, new_storage, s3

NAME = "blobs/ab/abc"
MEGABYTE = bytes(range(256)) * 4096


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    storage = new_storage(request.param, tmp_path)
    yield storage
    storage.close()


def read_part(storage: Storage, start: int, end: int | None = None) -> bytes:
    with storage.stream(NAME, start=start, end=end) as chunks:
        return b"".join(chunks)


def test_what_is_written_is_read_whole_or_in_part(storage: Storage) -> None:
    storage.write(NAME, b"weights")
    assert (storage.read(NAME), storage.find_size(NAME), storage.find_digest(NAME)) == (b"weights", 7, digest_bytes(b"weights"))
    assert (read_part(storage, 0), read_part(storage, 3), read_part(storage, 2, 5)) == (b"weights", b"ghts", b"igh")


def test_a_second_write_replaces_the_first(storage: Storage) -> None:
    for data in (b"one", b"and two"):
        storage.write(NAME, data)
    assert storage.read(NAME) == b"and two"


def test_nothing_is_a_file_too(storage: Storage) -> None:
    storage.write(NAME, b"")
    assert (storage.read(NAME), storage.find_size(NAME)) == (b"", 0)


def test_what_is_not_there_is_told(storage: Storage) -> None:
    with pytest.raises(StoredFileMissingError, match=r"abc.*restore it"):
        storage.read(NAME)
    with pytest.raises(StoredFileMissingError, match=r"abc.*restore it"):
        read_part(storage, 0)
    assert (storage.find_size(NAME), storage.find_digest(NAME), list(storage.list("blobs"))) == (None, None, [])
    storage.delete(NAME)


def test_a_listing_is_in_order_and_of_one_folder(storage: Storage) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)  # S3 tells whole seconds
    for name in ("blobs/b/2", "blobs/a/1", "blobs-2/x", "tuf/metadata/timestamp.json"):
        storage.write(name, b"12")
    assert [(file.name, file.size) for file in storage.list("blobs")] == [("blobs/a/1", 2), ("blobs/b/2", 2)]
    assert all(before < file.modified < datetime.now(UTC) + timedelta(seconds=2) for file in storage.list("blobs"))


def test_a_listing_has_no_end_at_a_thousand(tmp_path: Path) -> None:
    storage = new_storage("s3", tmp_path)
    assert isinstance(storage, S3Storage)
    for number in range(5):
        storage.write(f"blobs/{number}", b"")
    pages = storage._client.get_paginator("list_objects_v2")
    count = [len(page["Contents"]) for page in pages.paginate(Bucket="manyheads", PaginationConfig={"PageSize": 2})]
    assert (max(count), len(list(storage.list("blobs")))) == (2, 5)
    storage.close()


def test_what_is_deleted_is_gone_and_its_neighbour_is_not(storage: Storage) -> None:
    for name in (NAME, "blobs/ab/abd"):
        storage.write(name, b"x")
    storage.delete(NAME)
    assert [file.name for file in storage.list("blobs")] == ["blobs/ab/abd"]


def test_a_folder_that_is_emptied_goes(tmp_path: Path) -> None:
    storage = DirectoryStorage(tmp_path)
    storage.write(NAME, b"x")
    storage.delete(NAME)
    assert [path.name for path in tmp_path.rglob("*")] == ["blobs"]


def test_a_stream_that_fails_keeps_nothing_however_far_it_came(storage: Storage) -> None:
    def broken() -> Iterator[bytes]:
        for _ in range(2 * PART_BYTES // len(MEGABYTE) + 1):
            yield MEGABYTE
        raise RuntimeError

    with pytest.raises(RuntimeError):
        storage.write_stream(NAME, broken())
    assert storage.find_size(NAME) is None
    assert storage.sweep("blobs", datetime.now(UTC) + timedelta(seconds=2)) == 0


def test_a_large_stream_goes_through_little_memory(storage: Storage) -> None:
    storage.write(NAME, b"")  # boto3 loads what it needs, once
    tracemalloc.start()
    storage.write_stream(NAME, (MEGABYTE for _ in range(100)))
    with storage.stream(NAME) as chunks:
        length = sum(len(chunk) for chunk in chunks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (length, peak < 5 * PART_BYTES) == (100 * len(MEGABYTE), True)


def test_what_a_killed_writer_began_is_swept_away_and_nothing_else(storage: Storage, tmp_path: Path) -> None:
    storage.write(NAME, b"x")
    if isinstance(storage, S3Storage):
        storage._client.create_multipart_upload(**storage._at("blobs/ab/abd"))
    else:
        (tmp_path / "blobs/ab/.abd.x1y2z3w4").write_bytes(b"a part")
    assert storage.sweep("blobs", datetime.now(UTC) - timedelta(hours=1)) == 0  # somebody may be at it still
    assert storage.sweep("tuf", datetime.now(UTC) + timedelta(seconds=2)) == 0
    assert storage.sweep("blobs", datetime.now(UTC) + timedelta(seconds=2)) == 1
    assert storage.sweep("blobs", datetime.now(UTC) + timedelta(seconds=2)) == 0
    assert storage.read(NAME) == b"x"


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "blobs/../keys/online/x", "blobs/.x", "blobs//x", "blobs/x/", "a b", "a\0b"]
)
def test_a_name_that_leads_elsewhere_is_none(name: str) -> None:
    assert not is_name(name)
    assert not is_name("x" * (MAX_NAME + 1))


def test_a_storage_that_can_be_used_passes_its_check(storage: Storage) -> None:
    storage.check()


def test_a_bucket_that_is_not_there_is_told() -> None:
    storage = S3Storage(replace(s3().new_location(), bucket="nobodys-bucket"))
    with pytest.raises(UsageError, match=r"s3://nobodys-bucket/.*: no such bucket"):
        storage.check()
    storage.close()


def test_a_wrong_secret_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    location = s3().new_location()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    storage = S3Storage(location)
    with pytest.raises(UnavailableError, match=r"SignatureDoesNotMatch.*Are the credentials right") as refused:
        storage.check()
    assert "wrong" not in str(refused.value)
    storage.close()


def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyheads_hub.storage.s3.ATTEMPTS", 1)
    storage = S3Storage(replace(s3().new_location(), endpoint="http://127.0.0.1:1"))
    with pytest.raises(UnavailableError, match="does not answer"):
        storage.check()
    storage.close()


def test_an_address_given_out_opens_one_file_to_anyone_and_only_that() -> None:
    storage = S3Storage(s3().new_location(presigned_downloads=True))
    for name in (NAME, "blobs/ab/abd"):
        storage.write(name, b"weights")
    address = storage.link(NAME)
    assert address is not None
    assert httpx.get(address).content == b"weights"
    part = httpx.get(address, headers={"Range": "bytes=3-"})
    assert (part.status_code, part.content) == (206, b"ghts")
    assert httpx.get(address.replace("/abc?", "/abd?")).status_code == 403
    assert httpx.put(address, content=b"forged").status_code == 403
    storage.close()


def test_no_address_is_given_out_unless_the_settings_say_so(storage: Storage) -> None:
    storage.write(NAME, b"weights")
    assert storage.link(NAME) is None
