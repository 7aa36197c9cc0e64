"""The restore drill: a hub is lost, and made again from a copy, on whatever stands ready; clients notice nothing."""

import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select
from tuf.api.exceptions import RepositoryError

from manyheads_hub.backups.copies import find_copies, read_copy
from manyheads_hub.backups.restore import restore_copy
from manyheads_hub.backups.take import take_copy
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.tables import SubmissionRow, Table
from manyheads_shared.errors import DigestMismatchError, UsageError
from tests.support.grounds import EMBEDDED, GROUNDS, PRODUCTION, new_ground
from tests.support.live_hub import Owner, find, package, submit, work
from tests.support.makers import make_generator
from tests.support.tuf_client import fetch_target, open_updater


def fetch(hub: Hub, cache: Path) -> bytes | None:
    return fetch_target(open_updater(hub.storage, hub.settings.root.read_bytes(), cache))


def rows(hub: Hub) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the database."""
    with hub.database.read() as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key.columns))]
            for table in Table.metadata.sorted_tables
        }


@pytest.fixture
def busy(hub: Hub, ada: Owner) -> Hub:
    """A hub with an accepted head, and a submission that waits."""
    submit(hub, ada, package(ada, make_generator("alpha")))
    work(hub)
    submit(hub, ada, package(ada, make_generator("beta")))
    return hub


@pytest.mark.parametrize("onto", GROUNDS)
def test_a_lost_hub_is_made_again_anywhere_and_goes_on(busy: Hub, tmp_path: Path, onto: str) -> None:
    bundle = fetch(busy, tmp_path / "client")
    take_copy(busy, tmp_path / "backup")
    before, waiting = rows(busy), new_ground(onto)
    safe = shutil.move(busy.settings.keys, tmp_path / "safe")
    busy.close()
    shutil.rmtree(busy.settings.folder)

    again = tmp_path / "again"
    restore_copy(tmp_path / "backup", again, database=waiting.database, storage=waiting.storage)
    shutil.copytree(safe, again / "keys")
    with open_hub(again) as hub:
        assert rows(hub) == before
        hub.repository.refresh()
        assert fetch(hub, tmp_path / "client") == bundle  # one that knows the lost hub's newest timestamp
        work(hub)  # what waited is evaluated, and published with the hub's own keys
        assert fetch(hub, tmp_path / "client") not in (bundle, None)
        with hub.database.read() as session:
            (beta,) = session.scalars(select(SubmissionRow.id).where(SubmissionRow.generator == "beta"))
        assert find(hub, beta).state == "accepted"


def test_clients_that_saw_more_than_the_copy_holds_go_on_once_it_has_overtaken(busy: Hub, tmp_path: Path) -> None:
    copied = fetch(busy, tmp_path / "client")
    take_copy(busy, tmp_path / "backup")
    for _ in range(3):
        busy.repository.refresh(everything=True)
    work(busy)  # and another bundle, which is lost
    assert fetch(busy, tmp_path / "client") != copied
    restore_copy(tmp_path / "backup", tmp_path / "again")
    shutil.copytree(busy.settings.keys, tmp_path / "again" / "keys")
    with open_hub(tmp_path / "again") as hub:
        with pytest.raises(RepositoryError):
            fetch(hub, tmp_path / "client")
        hub.repository.overtake()
        hub.repository.refresh()
        assert fetch(hub, tmp_path / "client") == copied


def test_a_later_copy_takes_only_new_blobs_and_an_earlier_one_can_still_be_chosen(busy: Hub, tmp_path: Path) -> None:
    first = take_copy(busy, tmp_path / "backup")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "backup" / "blobs").rglob("*") if path.is_file()}
    while take_copy(busy, tmp_path / "backup").created == first.created:
        pass  # copies are named by the second
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    copies = find_copies(tmp_path / "backup")
    assert len(copies) == 2
    copy, _ = restore_copy(tmp_path / "backup", tmp_path / "again", time=copies[0])
    assert copy.created == first.created


def test_a_blob_that_the_backup_has_in_part_is_copied_again(busy: Hub, tmp_path: Path) -> None:
    take_copy(busy, tmp_path / "backup")
    blob = max((path for path in (tmp_path / "backup" / "blobs").rglob("*") if path.is_file()), key=lambda p: p.stat().st_size)
    whole = blob.read_bytes()
    blob.write_bytes(whole[:100])
    take_copy(busy, tmp_path / "backup")
    assert blob.read_bytes() == whole


def test_what_a_killed_copy_left_half_written_goes_with_a_later_one(busy: Hub, tmp_path: Path) -> None:
    take_copy(busy, tmp_path / "backup")
    old, young = (tmp_path / "backup" / "blobs" / name for name in (".aa.old", ".aa.young"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    take_copy(busy, tmp_path / "backup")
    assert (old.exists(), young.exists()) == (False, True)  # another copy may be writing the young one


def test_a_copy_that_was_cut_short_is_none(busy: Hub, tmp_path: Path) -> None:
    whole = take_copy(busy, tmp_path / "backup")
    cut_short = tmp_path / "backup" / "copies" / "2999-01-01T000000Z"
    shutil.copytree(tmp_path / "backup" / "copies" / find_copies(tmp_path / "backup")[0], cut_short)
    (cut_short / "copy.json").unlink()
    assert read_copy(tmp_path / "backup")[1] == whole
    with pytest.raises(UsageError, match="expected a copy, there is none"):
        read_copy(tmp_path / "elsewhere")


def test_a_changed_table_or_blob_is_not_restored(busy: Hub, tmp_path: Path) -> None:
    take_copy(busy, tmp_path / "backup")
    blob = next(path for path in (tmp_path / "backup" / "blobs").rglob("*") if path.is_file())
    blob.write_bytes(b"x" * blob.stat().st_size)
    with pytest.raises(DigestMismatchError):
        restore_copy(tmp_path / "backup", tmp_path / "again")
    assert not (tmp_path / "again" / "hub.toml").exists()
    table = next((tmp_path / "backup" / "copies").rglob("heads.jsonl"))
    table.write_bytes(table.read_bytes().replace(b"alpha", b"gamma"))
    with pytest.raises(UsageError, match="changed since it was written"):
        restore_copy(tmp_path / "backup", tmp_path / "again")


@pytest.mark.parametrize("onto", [EMBEDDED, PRODUCTION])
def test_nothing_is_overwritten(busy: Hub, tmp_path: Path, onto: str) -> None:
    take_copy(busy, tmp_path / "backup")
    with pytest.raises(UsageError, match="a hub is here already"):
        restore_copy(tmp_path / "backup", busy.settings.folder)
    place = new_ground(onto)
    restore_copy(tmp_path / "backup", tmp_path / "again", database=place.database, storage=place.storage)
    (tmp_path / "again" / "hub.toml").unlink()
    looked_at: list[int] = []
    with pytest.raises(UsageError, match="expected an empty database"):
        restore_copy(
            tmp_path / "backup",
            tmp_path / "again",
            database=place.database,
            storage=place.storage,
            on_blob=lambda done, _: looked_at.append(done),
        )
    assert looked_at == []  # refused before gigabytes are copied


def test_no_private_key_is_in_a_backup(busy: Hub, tmp_path: Path) -> None:
    take_copy(busy, tmp_path / "backup")
    assert not [path for path in (tmp_path / "backup").rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700
