"""Scans on a real Ray, on loopback: the records of the local engine, whoever is killed."""

import json
import os
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from manyheads_client.bundle import Bundle
from manyheads_client.engines.local import LocalEngine
from manyheads_client.engines.port import Options
from manyheads_client.inputs import Inputs
from manyheads_client.records import RecordFile
from manyheads_client.scan import scan
from tests.support.ray_cluster import ACTORS, PARCEL_IMAGES, actors, ray_cluster, start_driver

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'manyheads[ray]'"),
]
WINDOW = 3  # parcels an actor


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with ray_cluster() as address:
        yield address


@pytest.fixture(scope="module")
def folder(lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 images, among them a hostile one and three in an archive."""
    folder = tmp_path_factory.mktemp("many") / "images"
    folder.mkdir()
    originals = [path.read_bytes() for path in sorted((lab / "images").iterdir())]
    for i in range(197):
        (folder / f"{i:03d}.png").write_bytes(originals[i % 40])
    (folder / "100.png").write_bytes(b"\x89PNG\r\n\x1a\n, and nothing more")
    with zipfile.ZipFile(folder / "050.zip", "w") as archive:
        for i in range(3):
            archive.writestr(f"{i}.png", originals[i])
    return folder


@pytest.fixture(scope="module")
def local(lab: Path, folder: Path, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the local engine records of them."""
    path = tmp_path_factory.mktemp("local") / "scan.jsonl"
    with RecordFile(path, bundle.verified.digest) as file:
        scan(Inputs([folder]).items(), file, LocalEngine(bundle, Options("cpu")))
    return lines(path)


def lines(path: Path) -> list[dict[str, Any]]:
    """Documents of a record file, without the moments they were made."""
    return [{**json.loads(line), "created": None} for line in path.read_bytes().splitlines()]


def finish(driver: subprocess.Popen[str]) -> int:
    """Wait for a driver; how far items were ahead."""
    ahead, _ = driver.communicate()
    assert driver.returncode == 0
    return int(ahead)


def wait_for_records(driver: subprocess.Popen[str], jsonl: Path) -> None:
    while driver.poll() is None and (not jsonl.exists() or not jsonl.stat().st_size):
        time.sleep(0.002)


def test_a_cluster_makes_the_records_of_one_machine_and_takes_no_more_than_it_can_examine(
    cluster: str, lab: Path, folder: Path, local: list[dict[str, Any]], tmp_path: Path
) -> None:
    ahead = finish(start_driver(cluster, lab / "store", folder, tmp_path / "scan.jsonl"))
    assert lines(tmp_path / "scan.jsonl") == local
    assert len(local) == 1 + 200
    assert [line["error"] for line in local if line["format"] == "manyheads.failure/1"] == ["ImageError"]
    assert ahead <= (WINDOW * ACTORS + 1) * PARCEL_IMAGES


def test_a_driver_killed_in_the_middle_goes_on_where_it_stopped(
    cluster: str, lab: Path, folder: Path, local: list[dict[str, Any]], tmp_path: Path
) -> None:
    jsonl = tmp_path / "scan.jsonl"
    driver = start_driver(cluster, lab / "store", folder, jsonl)
    wait_for_records(driver, jsonl)
    driver.kill()
    driver.communicate()
    assert 0 < jsonl.read_bytes().count(b"\n") < len(local)
    finish(start_driver(cluster, lab / "store", folder, jsonl))
    assert lines(jsonl) == local


def test_an_actor_killed_in_the_middle_costs_no_record(
    cluster: str, lab: Path, folder: Path, local: list[dict[str, Any]], tmp_path: Path
) -> None:
    jsonl = tmp_path / "scan.jsonl"
    driver = start_driver(cluster, lab / "store", folder, jsonl)
    wait_for_records(driver, jsonl)
    os.kill(actors()[0], signal.SIGKILL)
    finish(driver)
    assert lines(jsonl) == local
