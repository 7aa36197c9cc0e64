"""Imported networks compute what Keras computes; what they cannot be imported as is refused."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from manyheads_contributor.artifacts import HeadWeights, build_head_artifact, build_primary_artifact
from manyheads_contributor.keras_import import (
    KerasPrimaryError,
    StatisticsError,
    import_head,
    import_primary,
)
from manyheads_contributor.keras_network import read_keras_network
from manyheads_shared.artifact import PrimaryArtifact, read_head, read_primary
from manyheads_shared.compute import choose_compute
from manyheads_shared.digest import digest_file
from manyheads_shared.errors import ManifestError, NonFiniteTensorError, UsageError
from manyheads_shared.scoring import Scorer
from tests.support.keras_files import (
    keras_logits,
    make_keras_layers,
    published_dct,
    published_pixels,
    write_keras_file,
    write_statistics,
)
from tests.support.makers import make_generator, make_images

TOLERANCE = 1e-5  # in logits


def _import_primary(path: Path, *, image_size: int | None = None, statistics: Path | None = None) -> PrimaryArtifact:
    weights = import_primary(read_keras_network(path), image_size=image_size, statistics=statistics)
    return read_primary(build_primary_artifact(weights, name="imported", version="1"))


def _logits(primary: PrimaryArtifact, weights: HeadWeights, size: int) -> NDArray[np.float32]:
    head = read_head(build_head_artifact(weights, primary, make_generator()), primary)
    return Scorer(primary, [head], choose_compute("cpu", "float32")).score(make_images(3, size=size))


@pytest.mark.parametrize("size", [32, 72, 128])
def test_detector_and_head_on_pixels_compute_what_keras_computes(tmp_path: Path, size: int) -> None:
    layers = make_keras_layers("pixel", size, prefixes=["a"])
    path = write_keras_file(tmp_path / "attribution.h5", layers)
    primary = _import_primary(path, image_size=size)
    ours = _logits(primary, import_head(read_keras_network(path), primary, secondary=None), size)
    inputs = published_pixels(make_images(3, size=size))
    for column, prefix in enumerate("da"):
        assert np.abs(ours[:, column] - keras_logits(layers, inputs, prefix)).max() < TOLERANCE


@pytest.mark.parametrize("size", [32, 72, 128])
def test_detector_and_head_on_dct_compute_what_keras_computes(tmp_path: Path, size: int) -> None:
    layers = make_keras_layers("dct", size, prefixes=["a"])
    path = write_keras_file(tmp_path / "attribution.h5", layers)
    mean, std = write_statistics(tmp_path, size)
    primary = _import_primary(path, statistics=tmp_path)
    assert primary.manifest.preprocessing.image_size == size
    ours = _logits(primary, import_head(read_keras_network(path), primary, secondary=None), size)
    inputs = published_dct(make_images(3, size=size), mean, std)
    for column, prefix in enumerate("da"):
        assert np.abs(ours[:, column] - keras_logits(layers, inputs, prefix)).max() < TOLERANCE


@pytest.mark.parametrize("number", [1, 2, 10])
def test_a_head_is_chosen_from_a_file_of_several(tmp_path: Path, number: int) -> None:
    layers = make_keras_layers("pixel", 32, prefixes=[f"a{i}" for i in range(1, 11)])
    path = write_keras_file(tmp_path / "multi.h5", layers)
    primary = _import_primary(path, image_size=32)
    ours = _logits(primary, import_head(read_keras_network(path), primary, secondary=number), 32)
    theirs = keras_logits(layers, published_pixels(make_images(3, size=32)), f"a{number}")
    assert np.abs(ours[:, 1] - theirs).max() < TOLERANCE


@pytest.mark.parametrize(
    ("representation", "prefixes", "count"),
    [("pixel", "", 27_261), ("pixel", "a", 48_606), ("dct", "", 35_367), ("dct", "a", 64_872)],
)
def test_the_files_of_these_tests_have_as_many_numbers_as_the_published_ones(
    representation: str, prefixes: str, count: int
) -> None:
    layers = make_keras_layers(representation, 128, prefixes=prefixes)
    assert sum(values.size for weights in layers.values() for values in weights.values()) == count


def test_weights_only_and_a_model_saved_again_read_the_same(tmp_path: Path) -> None:
    layers = make_keras_layers("pixel", 32, prefixes=["a"])
    whole, weights, again = (
        read_keras_network(write_keras_file(tmp_path / "whole.h5", layers)),
        read_keras_network(write_keras_file(tmp_path / "weights.h5", layers, whole_model=False)),
        read_keras_network(write_keras_file(tmp_path / "again.h5", layers, scope="_1")),
    )
    for other in (weights, again):
        assert all((other.primary[name] == tensor).all() for name, tensor in whole.primary.items())
        assert all((other.secondaries["a"][name] == tensor).all() for name, tensor in whole.secondaries["a"].items())


def test_the_manifest_names_the_file_and_claims_no_training(tmp_path: Path) -> None:
    path = write_keras_file(tmp_path / "primary.h5", make_keras_layers("pixel", 128))
    manifest = _import_primary(path).manifest
    training = manifest.training
    assert training.recipe == digest_file(path)
    assert (training.seed, training.epochs, training.images) == (0, 0, 0)
    assert training.device == "not known: imported weights"
    assert training.software.startswith("imported from a Keras file")
    assert manifest.preprocessing.image_size == 128


def test_a_head_whose_frozen_primary_differs_in_one_bit_is_refused(tmp_path: Path) -> None:
    layers = make_keras_layers("pixel", 32, prefixes=["a"])
    primary = _import_primary(write_keras_file(tmp_path / "primary.h5", layers), image_size=32)
    layers["dBNorm_03"]["moving_mean"][5] = np.nextafter(layers["dBNorm_03"]["moving_mean"][5], np.float32(9))
    other = read_keras_network(write_keras_file(tmp_path / "other.h5", layers))
    with pytest.raises(KerasPrimaryError, match=r"differs in 1 of 34 tensors, first in trunk\.norm3\.running_mean"):
        import_head(other, primary, secondary=None)


def test_a_head_of_another_architecture_or_size_is_refused(tmp_path: Path) -> None:
    pixel, small, large = (
        write_keras_file(tmp_path / f"{name}{size}.h5", make_keras_layers(name, size, prefixes=["a"]))
        for name, size in (("pixel", 32), ("dct", 32), ("dct", 64))
    )
    write_statistics(tmp_path, 32)
    primary = _import_primary(small, statistics=tmp_path)
    with pytest.raises(KerasPrimaryError, match="expected a head on khoo2022-dct, got one on khoo2022-pixel"):
        import_head(read_keras_network(pixel), primary, secondary=None)
    with pytest.raises(KerasPrimaryError, match=r"first in detector\.decision\.weight"):
        import_head(read_keras_network(large), primary, secondary=None)


@pytest.mark.parametrize(
    ("prefixes", "secondary", "message"),
    [
        ([], None, "expected one secondary module.*holds none"),
        (["a"], 1, "expected secondary module a1; the file holds a$"),
        (["a1", "a2"], None, "--secondary N to choose; the file holds a1, a2"),
        (["a1", "a2"], 3, "expected secondary module a3"),
    ],
)
def test_a_secondary_module_that_is_not_there_is_refused(
    tmp_path: Path, prefixes: list[str], secondary: int | None, message: str
) -> None:
    path = write_keras_file(tmp_path / "k.h5", make_keras_layers("pixel", 32, prefixes=prefixes))
    primary = _import_primary(path, image_size=32)
    with pytest.raises(UsageError, match=message):
        import_head(read_keras_network(path), primary, secondary=secondary)


def test_a_size_that_the_network_cannot_have_is_refused(tmp_path: Path) -> None:
    pixel = read_keras_network(write_keras_file(tmp_path / "pixel.h5", make_keras_layers("pixel", 32)))
    dct = read_keras_network(write_keras_file(tmp_path / "dct.h5", make_keras_layers("dct", 32)))
    with pytest.raises(UsageError, match="8 pixels a side"):
        import_primary(pixel, image_size=8, statistics=None)
    with pytest.raises(ManifestError, match="multiple of 8"):
        build_primary_artifact(import_primary(pixel, image_size=100, statistics=None), name="p", version="1")
    with pytest.raises(UsageError, match="this one at 32; leave --image-size out"):
        import_primary(dct, image_size=64, statistics=tmp_path)


def test_statistics_go_with_dct_and_only_with_it(tmp_path: Path) -> None:
    pixel = read_keras_network(write_keras_file(tmp_path / "pixel.h5", make_keras_layers("pixel", 32)))
    dct = read_keras_network(write_keras_file(tmp_path / "dct.h5", make_keras_layers("dct", 32)))
    with pytest.raises(UsageError, match="leave --statistics out"):
        import_primary(pixel, image_size=None, statistics=tmp_path)
    with pytest.raises(UsageError, match=r"with mean\.npy and std_dev\.npy"):
        import_primary(dct, image_size=None, statistics=None)
    with pytest.raises(UsageError, match=r"mean.npy: expected the statistics"):
        import_primary(dct, image_size=None, statistics=tmp_path / "none")


def _huge_claim() -> bytes:
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (900000, 900000), }".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 64


@pytest.mark.parametrize("bad", ["size", "integers", "objects", "infinite", "too large", "zip", "huge", "cut", "none"])
def test_statistics_of_another_kind_are_refused(tmp_path: Path, bad: str) -> None:
    dct = read_keras_network(write_keras_file(tmp_path / "dct.h5", make_keras_layers("dct", 32)))
    mean, _ = write_statistics(tmp_path, 32)
    path = tmp_path / "std_dev.npy"
    if bad == "size":
        np.save(path, mean[:16])
    elif bad == "integers":
        np.save(path, mean.astype(np.int64))
    elif bad == "objects":
        np.save(path, mean.astype(object))
    elif bad in ("infinite", "too large"):
        np.save(path, np.where(mean < 3, {"infinite": np.inf, "too large": 1e200}[bad], mean))
    else:
        contents = {"zip": b"PK\x03\x04", "huge": _huge_claim(), "cut": path.read_bytes()[:-8], "none": b"no numbers"}
        path.write_bytes(contents[bad])
    with pytest.raises(StatisticsError, match=r"std_dev.npy: expected"):
        import_primary(dct, image_size=None, statistics=tmp_path)


def test_weights_that_are_no_number_are_refused(tmp_path: Path) -> None:
    layers = make_keras_layers("pixel", 32)
    layers["dConv_04"]["bias"][0] = np.nan
    with pytest.raises(NonFiniteTensorError, match=r"trunk.conv4.bias"):
        _import_primary(write_keras_file(tmp_path / "nan.h5", layers))


SAMPLES = sorted((Path(__file__).parents[3] / "shared" / "data").rglob("*.h5"))


@pytest.mark.skipif(not SAMPLES, reason="no published checkpoints beside the project")
def test_published_checkpoints_are_read() -> None:
    for path in SAMPLES:
        assert bool(read_keras_network(path).secondaries) == path.name.startswith("attribution")
