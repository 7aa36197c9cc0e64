"""The real commands, killed with SIGKILL at random moments: nothing is lost, nothing is done twice."""

import random
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

from manyheads_client import Bundle
from manyheads_client.errors import NoBundleError
from manyheads_client.records import read_records
from manyheads_client.store import Store
from manyheads_client.verification import check_store
from manyheads_shared.evidence import Examined
from tests.support.hub_simulator import HubSimulator
from tests.support.packs import entries_of, import_from, write_entries
from tests.support.processes import start_client


def start_pull(store: Path, *arguments: str) -> BaseProcess:
    return start_client("pull", *arguments, "--store", str(store))


def finish_pull(store: Path, *arguments: str) -> None:
    process = start_pull(store, *arguments)
    process.join()
    assert process.exitcode == 0


def kill(process: BaseProcess) -> bool:
    """Kill the process; False when it was done before."""
    running = process.is_alive()
    process.kill()
    process.join()
    process.close()
    return running


def kill_when(process: BaseProcess, hub: HubSimulator, request_count: int, delay: float) -> bool:
    """Kill the process once the hub has seen so many requests and a little later."""
    while len(hub.requests) < request_count and process.is_alive():
        time.sleep(0.002)
    time.sleep(delay)
    return kill(process)


def test_a_pull_killed_anywhere_loses_nothing(tmp_path: Path) -> None:
    hub, store = HubSimulator(), tmp_path / "store"
    (tmp_path / "root.json").write_bytes(hub.root_bytes)
    hub.chunk_bytes, hub.chunk_pause_seconds = 8192, 0.01
    draw, kills = random.Random(1), 0
    with hub.serve() as address:
        first = [address, "--root", str(tmp_path / "root.json")]
        for request_count in (1, 3, 4, 6, 9):  # root, metadata, the manifest, objects under way
            hub.requests.clear()
            kills += kill_when(start_pull(store, *first), hub, request_count, draw.uniform(0, 0.02))
            with suppress(NoBundleError):  # not there yet is the only other thing it may be
                assert Bundle.open(store).generators == ("alpha@1", "beta@1")
        finish_pull(store, *first)
        assert Bundle.open(store).verified.digest == hub.bundle.manifest.digest
        old = hub.bundle.manifest.digest
        hub.publish_next("alpha", "beta", "gamma", "delta")
        for request_count in (3, 5, 7):
            hub.requests.clear()
            kills += kill_when(start_pull(store), hub, request_count, draw.uniform(0, 0.02))
            assert Bundle.open(store).verified.digest in (old, hub.bundle.manifest.digest)
        finish_pull(store)
        assert Bundle.open(store).generators == ("alpha@1", "beta@1", "gamma@1", "delta@1")
    assert kills >= 4  # the machine may be fast, but not that fast


def test_whole_objects_survive_a_kill_and_are_not_fetched_again(tmp_path: Path) -> None:
    hub, store = HubSimulator(), tmp_path / "store"
    (tmp_path / "root.json").write_bytes(hub.root_bytes)
    with hub.serve() as address:
        slow = hub.path_of(f"objects/{hub.bundle.manifest.primary.removeprefix('sha256:')}")
        hub.stalled.add(slow)
        process = start_pull(store, address, "--root", str(tmp_path / "root.json"))
        objects = len(hub.bundle.objects)
        deadline = time.monotonic() + 60
        while len(list((store / "objects").glob("[0-9a-f]*"))) < objects + 4 and time.monotonic() < deadline:
            time.sleep(0.01)  # all but the primary, and the metadata and the manifest
        kill(process)
        hub.stalled.clear()
        fetched = Counter(hub.targets_requested())
        finish_pull(store, address, "--root", str(tmp_path / "root.json"))
    again = Counter(hub.targets_requested()) - fetched
    assert again == {slow: 1}


def kill_at(process: BaseProcess, store: Path, object_count: int) -> bool:
    """Kill the process once the store has so many objects."""
    while process.is_alive() and len(list((store / "objects").glob("[0-9a-f]*"))) < object_count:
        time.sleep(0.0005)
    return kill(process)


def test_an_import_killed_anywhere_loses_nothing(tmp_path: Path) -> None:
    hub, store, pack = HubSimulator(), tmp_path / "store", tmp_path / "pack"
    (tmp_path / "root.json").write_bytes(hub.root_bytes)
    import_from(hub, Store(store), pack)
    old = hub.bundle.manifest.digest
    hub.publish_next(*(f"g{i}" for i in range(40)))
    write_entries(pack, entries_of(hub))
    held, kills = len(list((store / "objects").iterdir())), 0
    for more in (0, 1, 5, 60, 110, 125):  # before the first, heads and statements, the last metadata
        kills += kill_at(start_client("import", str(pack), "--store", str(store)), store, held + more)
        assert Bundle.open(store).verified.digest in (old, hub.bundle.manifest.digest)
    process = start_client("import", str(pack), "--store", str(store))
    process.join()
    assert process.exitcode == 0
    assert len(Bundle.open(store).generators) == 40
    assert all(finding.holds for finding in check_store(Store(store)))
    assert not list((store / "partial").iterdir())
    assert kills >= 4


def test_a_scan_killed_anywhere_has_every_record_once(lab: Path, tmp_path: Path) -> None:
    jsonl, folder = tmp_path / "scan.jsonl", tmp_path / "images"
    folder.mkdir()
    originals = sorted((lab / "images").iterdir())
    for i in range(160):
        (folder / f"{i:03d}.png").write_bytes(originals[i % 40].read_bytes())
    scan = ("attribute", str(folder), "--store", str(lab / "store"), "--jsonl", str(jsonl), "--device", "cpu")
    process = start_client(*scan)
    while process.is_alive() and (not jsonl.exists() or not jsonl.stat().st_size):
        time.sleep(0.002)  # the first of three batches
    kill(process)
    assert 0 < len(list(read_records(jsonl))) < 160
    process = start_client(*scan)
    process.join()
    assert process.exitcode == 0
    names = [record.name for record in read_records(jsonl) if isinstance(record, Examined)]
    assert names == [str(path) for path in sorted(folder.iterdir())]
