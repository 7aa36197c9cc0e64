"""The whole loop with tiny data: the real commands, a real hub over HTTP, from labelled folders to verdicts."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.results import RIGHT
from tests.support.patterned import GRIDS, write_patterned_world

QUICK = ("max_epochs=3", "batch_size=32", "primary_learning_rate=0.01", "head_learning_rate=0.01", "patience=3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("loop")
    write_patterned_world(root / "images", real=640, generated=400)
    return root


@pytest.mark.timeout(600)  # seconds; alone on two cores it takes about eighty
def test_private_images_become_a_published_head_that_attributes(folder: Path) -> None:
    output = run_demo(folder)
    results = read_results(folder)
    assert {head["generator"]: (head["decision"], head["reasons"]) for head in results["heads"]} == {
        name: ("accepted", []) for name in GRIDS
    }, output
    for name in GRIDS:
        verdicts = results["verdicts"][f"generated/{name}"]
        assert verdicts[RIGHT] > 0.8 * sum(verdicts.values())
    photographs = results["verdicts"]["real/noise"]
    assert photographs["real"] > 0.8 * sum(photographs.values())
    assert "attributed wrongly" not in photographs


@pytest.mark.timeout(600)
def test_what_is_done_is_not_done_again_and_a_lost_step_is_made_up(folder: Path) -> None:
    run_demo(folder)
    work = folder / "work"
    report, records = (work / "client" / name for name in ("report.html", "scan.jsonl"))
    trained, scanned = (work / "hub" / "trained.json").stat().st_mtime_ns, records.read_bytes()
    report.unlink()
    (work / "client" / "verdicts.txt").unlink()
    owner = work / "owners" / "checkers"
    for name in ("key.pem.pub", "head.safetensors"):  # killed between two files of one command
        (owner / name).unlink()
    output = run_demo(folder)
    assert (work / "hub" / "trained.json").stat().st_mtime_ns == trained
    assert report.exists()
    assert (owner / "head.safetensors").exists()
    assert records.read_bytes() == scanned
    assert output.count("done before") > 20


def run_demo(folder: Path) -> str:
    command = [sys.executable, "-m", "deploy.demo", "--data", str(folder / "images"), "--out", str(folder / "work")]
    command += [part for change in QUICK for part in ("--set", change)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read_results(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "work" / "results.json").read_bytes())
    return value
