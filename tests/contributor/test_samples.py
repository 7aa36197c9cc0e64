from pathlib import Path

import numpy as np
import pytest

from manyheads_contributor import samples as module
from manyheads_contributor.samples import head_labels, primary_labels, read_samples
from manyheads_shared.dataset import Dataset, scan_dataset
from manyheads_shared.degradations import degrade
from manyheads_shared.errors import DatasetError
from manyheads_shared.image import read_image
from manyheads_shared.manifest import Preprocessing
from manyheads_shared.preprocess import fit_image
from tests.support.makers import write_dataset

RESIZE = Preprocessing(representation="pixel", image_size=64, fit="resize")
NATIVE = Preprocessing(representation="pixel", image_size=None, fit="native")


def test_samples_are_fitted_and_in_order(dataset: Dataset, tmp_path: Path) -> None:
    items = dataset.items[::9]
    samples = read_samples(items, RESIZE, tmp_path / "overflow.npy")
    assert samples.enlarged == len(items)
    for item, pixels in zip(samples.items, samples.pixels, strict=True):
        assert np.array_equal(pixels, fit_image(read_image(item.path).pixels, RESIZE))


def test_pixels_that_memory_does_not_hold_go_to_a_file(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory = read_samples(dataset.items, RESIZE, tmp_path / "overflow.npy")
    assert not (tmp_path / "overflow.npy").exists()
    monkeypatch.setattr(module, "MAX_MEMORY_BYTES", 1000)
    on_disk = read_samples(dataset.items, RESIZE, tmp_path / "overflow.npy")
    assert (tmp_path / "overflow.npy").exists()
    assert np.array_equal(on_disk.pixels, in_memory.pixels)


def test_labels_are_generated_for_a_primary_and_its_own_for_a_head(dataset: Dataset) -> None:
    items = dataset.select(external=False)
    assert primary_labels(items).sum() == len(dataset.select(kind="generated", external=False))
    assert head_labels(items, "alpha").sum() == len(dataset.select(kind="generated", source="alpha"))


def test_native_images_of_two_sizes_cannot_be_trained_on(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"real/small": 2}, size=32)
    write_dataset(tmp_path, {"real/wide": 2}, size=40)
    with pytest.raises(DatasetError, match="32x32 pixels"):
        read_samples(scan_dataset(tmp_path).items, NATIVE, tmp_path / "overflow.npy")


def test_an_image_too_small_to_crop_is_named(dataset: Dataset, tmp_path: Path) -> None:
    crop = Preprocessing(representation="pixel", image_size=64, fit="crop")
    with pytest.raises(DatasetError, match=r"0000\.png: expected at least 64x64"):
        read_samples(dataset.items, crop, tmp_path / "overflow.npy")


def test_degraded_samples_are_those_of_their_seed(dataset: Dataset, tmp_path: Path) -> None:
    samples = read_samples(dataset.items[:5], RESIZE, tmp_path / "overflow.npy")
    degraded = samples.degraded("paper-as-written", 3)
    expected = degrade(samples.pixels[4], "paper-as-written", seed=3, digest=samples.items[4].digest)
    assert np.array_equal(degraded.pixels[4], expected)
    assert samples.degraded("clean", 3) is samples
