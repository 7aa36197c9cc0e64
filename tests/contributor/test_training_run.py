"""Whole trainings, and what a kill -9 does to them: nothing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from manyheads_contributor.run import RunFolder
from manyheads_contributor.samples import read_samples
from manyheads_contributor.training_run import train_head, train_primary
from manyheads_shared.architectures import get_architecture
from manyheads_shared.artifact import PrimaryArtifact, primary_tensors
from manyheads_shared.dataset import Dataset, scan_dataset
from manyheads_shared.errors import DatasetError
from manyheads_shared.preprocess import dct_statistics
from tests.support.makers import SIZE, write_dataset
from tests.support.training import tiny_dataset, tiny_head_run, tiny_primary_run, tiny_recipe

DEGRADED = ("degradation=paper-as-written", "max_epochs=4", "patience=4")

LONGER = ("max_epochs=12", "patience=12")

_TRAIN = """
import sys
from pathlib import Path
from manyheads_shared.dataset import scan_dataset
from tests.support import training
kind, data, out, *overrides = sys.argv[1:]
if kind == "primary":
    training.tiny_primary_run(Path(out), scan_dataset(Path(data)), *overrides)
else:
    training.tiny_head_run(Path(out), scan_dataset(Path(data)), training.tiny_primary(), *overrides)
"""


def test_a_primary_holds_exactly_its_declared_tensors(primary_run: Path) -> None:
    tensors = safetensors.numpy.load_file(primary_run / "best.safetensors")
    declared = primary_tensors(get_architecture("khoo2022-pixel"), SIZE)
    assert {name: tensor.shape for name, tensor in tensors.items()} == declared


def test_a_head_holds_exactly_its_declared_tensors(head_run: Path) -> None:
    tensors = safetensors.numpy.load_file(head_run / "best.safetensors")
    declared = get_architecture("khoo2022-pixel").head_tensors(SIZE)
    assert {name: tensor.shape for name, tensor in tensors.items()} == declared


def test_a_dct_primary_carries_the_statistics_of_its_training_side(dataset: Dataset, tmp_path: Path) -> None:
    run = tiny_primary_run(tmp_path / "run", dataset, "architecture=khoo2022-dct", "max_epochs=1")
    folder = RunFolder(run)
    train = [item for item in dataset.items if item.digest in folder.read_split()["train"]]
    mean, std = dct_statistics(read_samples(train, folder.read().preprocessing, tmp_path / "overflow").pixels)
    tensors = safetensors.numpy.load_file(run / "best.safetensors")
    assert np.allclose(tensors["preprocessing.mean"], mean)
    assert np.allclose(tensors["preprocessing.std"], std)


def test_the_same_run_twice_gives_the_same_bytes(
    head_run: Path, dataset: Dataset, primary: PrimaryArtifact, tmp_path: Path
) -> None:
    again = tiny_head_run(tmp_path / "again", dataset, primary)
    assert (again / "best.safetensors").read_bytes() == (head_run / "best.safetensors").read_bytes()


def test_a_finished_run_is_not_run_again(primary_run: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in primary_run.iterdir()}
    run = train_primary(dataset, tiny_recipe(), primary_run, device="cpu")
    assert {path: path.stat().st_mtime_ns for path in primary_run.iterdir()} == before
    assert run.result is not None
    assert "nothing to do" in capsys.readouterr().err


def test_a_run_killed_with_signal_9_ends_with_the_weights_of_an_undisturbed_one(tmp_path: Path) -> None:
    dataset = tiny_dataset(tmp_path / "data")
    killed = tmp_path / "killed"
    _kill_after_two_epochs("primary", dataset, killed, *DEGRADED)
    tiny_primary_run(killed, dataset, *DEGRADED)
    whole = tiny_primary_run(tmp_path / "whole", dataset, *DEGRADED)
    assert (killed / "best.safetensors").read_bytes() == (whole / "best.safetensors").read_bytes()
    assert _epochs(killed) == 4


def test_a_killed_head_goes_on_with_the_features_it_has(tmp_path: Path, primary: PrimaryArtifact) -> None:
    dataset = tiny_dataset(tmp_path / "data")
    killed = tmp_path / "killed"
    _kill_after_two_epochs("head", dataset, killed, *LONGER)
    assert len(list((killed / "cache").glob("features-*.npy"))) == 2
    tiny_head_run(killed, dataset, primary, *LONGER)
    whole = tiny_head_run(tmp_path / "whole", dataset, primary, *LONGER)
    assert (killed / "best.safetensors").read_bytes() == (whole / "best.safetensors").read_bytes()
    assert _epochs(killed) == 12


def _kill_after_two_epochs(kind: str, dataset: Dataset, out: Path, *overrides: str) -> None:
    command = [sys.executable, "-c", _TRAIN, kind, str(dataset.root), str(out), *overrides]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    while _epochs(out) < 2:
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert RunFolder(out).read().result is None


def _epochs(run: Path) -> int:
    history = run / "history.csv"
    return len(history.read_text().splitlines()) - 1 if history.exists() else 0


def test_a_start_killed_before_the_run_file_is_begun_again(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "split.json").write_text("{}")
    run = tiny_primary_run(tmp_path / "run", dataset, "max_epochs=1")
    assert RunFolder(run).read_split()["train"]


def test_a_head_for_a_generator_that_is_not_there_is_refused(
    dataset: Dataset, primary: PrimaryArtifact, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=r"generated/delta/; the generators here: alpha, beta"):
        train_head(dataset, "delta", primary, tiny_recipe(), tmp_path / "run", device="cpu")


def test_a_primary_needs_both_kinds(tmp_path: Path) -> None:
    dataset = scan_dataset(write_dataset(tmp_path / "data", {"real/photos": 20}))
    with pytest.raises(DatasetError, match="expected real and generated images"):
        train_primary(dataset, tiny_recipe(), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_enlarged_images_are_mentioned(dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_primary_run(tmp_path / "run", dataset, "image_size=40", "max_epochs=1")
    assert "are smaller than 40 px and are enlarged" in capsys.readouterr().err
