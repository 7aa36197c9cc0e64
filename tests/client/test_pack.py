"""The container: one spelling, and whatever else a file may be is refused with one clear error."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from manyheads_client.errors import PackError
from manyheads_client.pack import _header, open_pack
from manyheads_client.store import Store
from manyheads_shared.errors import DigestMismatchError, ManifestError, ManyheadsError, UnsupportedVersionError, UsageError
from tests.support.hub_simulator import HubSimulator
from tests.support.packs import Entry, entries_of, write_entries


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return entries_of(HubSimulator())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pack"


def refuse(path: Path, match: str, error: type[ManyheadsError] = PackError) -> None:
    with pytest.raises(error, match=match), open_pack(path):
        pass


def test_a_pack_is_a_tar_archive(path: Path, entries: list[Entry]) -> None:
    with tarfile.open(write_entries(path, entries)) as archive:
        assert [(member.name, member.size) for member in archive] == [(name, len(data)) for name, data in entries]


def test_an_object_is_read_and_copied_to_the_byte(path: Path, entries: list[Entry], tmp_path: Path) -> None:
    with open_pack(write_entries(path, entries)) as pack:
        digest = pack.index.bundle
        data = pack.read_object(digest)
        pack.copy_object(digest, tmp_path / "copy", lambda _: None)
    assert data == dict(entries)["objects/" + digest.removeprefix("sha256:")] == (tmp_path / "copy").read_bytes()


@pytest.mark.parametrize("length", [0, 1, 511, 512, 700, 1500, -1, -512, -1024, -1025])
def test_a_pack_cut_off_anywhere_is_refused(path: Path, entries: list[Entry], length: int) -> None:
    path.write_bytes(write_entries(path, entries).read_bytes()[:length])
    refuse(path, "cut off")


@pytest.mark.parametrize("tail", [b"\0", bytes(512), b"more"])
def test_bytes_after_the_end_are_refused(path: Path, entries: list[Entry], tail: bytes) -> None:
    write_entries(path, entries, bytes(1024) + tail)
    refuse(path, "nothing after them")


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "objects/../../evil", "objects/" + "A" * 64, "objects/" + "a" * 63, "pack.json", "", "é"]
)
def test_an_entry_by_any_other_name_is_refused(path: Path, entries: list[Entry], name: str) -> None:
    refuse(write_entries(path, [*entries, (name, b"data")]), "expected objects/ and the digest of each object")


def test_an_entry_twice_is_refused(path: Path, entries: list[Entry]) -> None:
    refuse(write_entries(path, [*entries, entries[-1]]), "once and in ascending order")


def test_entries_in_another_order_are_refused(path: Path, entries: list[Entry]) -> None:
    refuse(write_entries(path, [entries[0], *reversed(entries[1:])]), "once and in ascending order")


def test_an_index_that_is_not_first_is_refused(path: Path, entries: list[Entry]) -> None:
    refuse(write_entries(path, entries[1:]), r"expected pack\.json")


def test_an_index_of_another_version_is_refused(path: Path, entries: list[Entry]) -> None:
    index = entries[0][1]
    newer = [("pack.json", index.replace(b"manyheads.pack/1", b"manyheads.pack/2")), *entries[1:]]
    refuse(write_entries(path, newer), "Update manyheads", UnsupportedVersionError)
    refuse(write_entries(path, [("pack.json", index[:-1]), *entries[1:]]), "pack", ManifestError)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_an_entry_that_is_no_file_is_refused(path: Path, entries: list[Entry], kind: bytes) -> None:
    member = tarfile.TarInfo("objects/" + "f" * 64)
    member.type, member.linkname = kind, "/etc/passwd"
    write_entries(path, entries, member.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
    refuse(path, "a kind of entry, that no pack has")


@pytest.mark.parametrize("changed", [{"mode": 0o777}, {"uid": 1}, {"mtime": 1}, {"uname": "root"}])
def test_a_header_spelt_otherwise_is_refused(path: Path, entries: list[Entry], changed: dict[str, object]) -> None:
    member = tarfile.TarInfo("objects/" + "f" * 64)
    for name, value in changed.items():
        setattr(member, name, value)
    write_entries(path, entries, member.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
    refuse(path, "expected a pack written by `manyheads export`")


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_an_archive_of_another_kind_is_refused(path: Path, format_: int) -> None:
    with tarfile.open(path, "w", format=format_) as archive:
        member = tarfile.TarInfo("a" * 200)
        member.size = 4
        archive.addfile(member, io.BytesIO(b"data"))
    refuse(path, "expected a pack written by `manyheads export`")


def test_padding_that_says_something_is_refused(path: Path, entries: list[Entry]) -> None:
    data = bytearray(write_entries(path, entries).read_bytes())
    data[512 + len(entries[0][1])] = 1
    path.write_bytes(data)
    refuse(path, "expected zeros after 'pack\\.json'")


@pytest.mark.parametrize("write", [lambda: b"", lambda: os.urandom(4096), lambda: b"PK\3\4" + bytes(2000)])
def test_a_file_that_is_no_pack_is_refused(path: Path, write: Callable[[], bytes]) -> None:
    path.write_bytes(write())
    refuse(path, "cut off|expected a pack")


def test_a_size_that_no_object_has_is_refused_without_reading(path: Path, entries: list[Entry]) -> None:
    """A sparse file of 5 GiB: a bomb that costs its maker nothing."""
    name = "objects/" + "f" * 64
    with write_entries(path, entries, _header(name, 5 << 30)).open("ab") as stream:
        stream.truncate(stream.tell() + (5 << 30) + 1024)
    refuse(path, "an object may have 4294967296 bytes")


def test_an_index_too_large_is_refused_without_reading(path: Path) -> None:
    path.write_bytes(_header("pack.json", 1 << 30))
    with path.open("ab") as stream:
        stream.truncate((1 << 30) + 2048)
    refuse(path, "of at most 65536 bytes")


def test_more_entries_than_a_bundle_needs_are_refused(
    path: Path, entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyheads_client.pack.MAX_ENTRIES", len(entries) - 2)
    refuse(write_entries(path, entries), "this one has more")


def test_content_with_another_digest_is_refused_and_not_kept(path: Path, entries: list[Entry], tmp_path: Path) -> None:
    lies = [(name, data if name == "pack.json" else data[::-1]) for name, data in entries]
    with open_pack(write_entries(path, lies)) as pack:
        with pytest.raises(DigestMismatchError):
            pack.read_object(pack.index.bundle)
        with pytest.raises(DigestMismatchError):
            pack.copy_object(pack.index.bundle, tmp_path / "copy", lambda _: None)
    assert not (tmp_path / "copy").exists()


def test_a_pack_cut_off_while_it_is_read_is_refused(path: Path, entries: list[Entry]) -> None:
    with open_pack(write_entries(path, entries)) as pack:
        os.truncate(path, 1024)
        with pytest.raises(PackError, match="cut off"):
            pack.read_object(pack.index.metadata.targets)


@pytest.mark.parametrize("make", [str, Path.mkdir, os.mkfifo], ids=["nothing", "folder", "pipe"])
def test_what_is_no_file_is_refused_at_once(path: Path, make: Callable[[Path], object]) -> None:
    make(path)
    refuse(path, "pack: ", UsageError)


def test_a_store_is_no_pack(store: Store) -> None:
    refuse(store.folder / "root.json", "expected a pack|cut off")
