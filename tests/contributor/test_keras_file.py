"""A Keras file may come from anywhere: what is not plainly the published network's weights is refused by name."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from manyheads_contributor import keras_file
from manyheads_contributor.keras_file import KerasFileError, KerasLayerError, KerasWeightError, read_keras_file
from manyheads_contributor.keras_network import read_keras_network
from manyheads_shared.digest import digest_file
from manyheads_shared.errors import ManyheadsError, UsageError
from tests.support.keras_files import Layers, make_keras_layers, write_keras_file

CONV = "model_weights/dConv_02"
KERNEL = f"{CONV}/dConv_02/kernel:0"


@pytest.fixture
def layers() -> Layers:
    return make_keras_layers("pixel", 32, prefixes=["a"])


@pytest.fixture
def path(tmp_path: Path, layers: Layers) -> Path:
    return write_keras_file(tmp_path / "k.h5", layers)


def _write_weights(folder: Path, layers: Layers) -> Path:
    return write_keras_file(folder / "weights.h5", layers, whole_model=False)


def test_every_weight_is_read_as_it_stands_and_nothing_else(path: Path, layers: Layers) -> None:
    read = read_keras_file(path)
    expected = {f"{layer}/{name}": values for layer, weights in layers.items() for name, values in weights.items()}
    assert read.weights.keys() == expected.keys()
    assert all((read.weights[name] == values).all() for name, values in expected.items())
    assert read.digest == digest_file(path)


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a Keras \.h5 file"):
        read_keras_file(tmp_path / "none.h5")
    with pytest.raises(UsageError, match=r"expected a Keras \.h5 file"):
        read_keras_file(tmp_path)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 a .keras file", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_a_file_that_is_no_hdf5_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "k.h5").write_bytes(data)
    with pytest.raises(KerasFileError, match="expected an HDF5 file as Keras saves it"):
        read_keras_file(tmp_path / "k.h5")


def test_a_damaged_file_is_refused_or_read_never_a_traceback(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    draw = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        changed = bytearray(data)
        for position in draw.integers(0, 20_000, 20):
            changed[position] = draw.integers(0, 256)
        (tmp_path / "damaged.h5").write_bytes(changed[: draw.integers(len(data) // 2, len(data) + 1)])
        try:
            read_keras_network(tmp_path / "damaged.h5")
        except ManyheadsError:
            refused += 1
    assert refused > 100


def _external_link(file: h5py.File, elsewhere: Path) -> None:
    del file[CONV]
    file[CONV] = h5py.ExternalLink(str(elsewhere), f"/{CONV}")


def _soft_link(file: h5py.File, elsewhere: Path) -> None:
    del file[KERNEL]
    file[KERNEL] = h5py.SoftLink("/optimizer_weights/Adam/dConv_01/kernel/m:0")


def _all_layers_elsewhere(file: h5py.File, elsewhere: Path) -> None:
    del file["model_weights"]
    file["model_weights"] = h5py.ExternalLink(str(elsewhere), "/model_weights")


def _virtual(file: h5py.File, elsewhere: Path) -> None:
    shape = file[KERNEL].shape
    del file[KERNEL]
    layout = h5py.VirtualLayout(shape, np.float32)
    layout[...] = h5py.VirtualSource(str(elsewhere), KERNEL, shape)
    file.create_virtual_dataset(KERNEL, layout)


def _external_storage(file: h5py.File, elsewhere: Path) -> None:
    shape = file[KERNEL].shape
    del file[KERNEL]
    file.create_dataset(KERNEL, shape, np.float32, external=str(elsewhere))


def _compressed(file: h5py.File, elsewhere: Path) -> None:
    values = file[KERNEL][()]
    del file[KERNEL]
    file.create_dataset(KERNEL, data=values, compression="gzip")


def _unwritten(file: h5py.File, elsewhere: Path) -> None:
    shape = file[KERNEL].shape
    del file[KERNEL]
    file.create_dataset(KERNEL, shape, np.float32)


def _of_no_shape(file: h5py.File, elsewhere: Path) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, data=h5py.Empty(np.float32))


def _named_type(file: h5py.File, elsewhere: Path) -> None:
    file[f"{CONV}/type"] = np.dtype(np.float32)


def _circle(file: h5py.File, elsewhere: Path) -> None:
    file[f"{CONV}/again"] = file["model_weights"]


def _twice(file: h5py.File, elsewhere: Path) -> None:
    file[f"{CONV}/other/kernel:0"] = file[KERNEL]


def _many_names(file: h5py.File, elsewhere: Path) -> None:
    for i in range(100):
        file[f"{CONV}/dConv_02/{i}"] = file["model_weights/dConv_06/dConv_06/kernel:0"]


def _weights_instead_of_layers(file: h5py.File, elsewhere: Path) -> None:
    del file["model_weights"]
    file["model_weights"] = np.zeros(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_external_link, "a link elsewhere at 'dConv_02'"),
        (_soft_link, "a link elsewhere at 'kernel:0'"),
        (_all_layers_elsewhere, "a link elsewhere at 'model_weights'"),
        (_virtual, "virtual storage"),
        (_external_storage, "external storage"),
        (_compressed, "chunked storage"),
        (_unwritten, r"expected 1536 bytes of numbers, the file holds 0"),
        (_of_no_shape, "expected 0 bytes|never written"),
        (_named_type, "got a Datatype"),
        (_circle, "4 levels deep"),
        (_twice, "'dConv_02/kernel' is there twice"),
        (_many_names, "add up to more than the file's"),
        (_weights_instead_of_layers, "expected model_weights to be a group"),
    ],
)
def test_what_keras_never_writes_is_refused(
    path: Path, tmp_path: Path, change: Callable[[h5py.File, Path], None], message: str
) -> None:
    elsewhere = tmp_path / "elsewhere.h5"
    shutil.copy(path, elsewhere)
    with h5py.File(path, "a") as file:
        change(file, elsewhere)
    with pytest.raises(KerasFileError, match=message):
        read_keras_network(path)


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.dtype(">f4"), np.int32, h5py.string_dtype(), [("a", "f4")]])
def test_a_weight_of_another_type_is_refused(path: Path, kind: object) -> None:
    with h5py.File(path, "a") as file:
        shape = file[KERNEL].shape
        del file[KERNEL]
        file.create_dataset(KERNEL, shape, kind)
    with pytest.raises(KerasWeightError, match=r"dConv_02/kernel.*expected float32, got"):
        read_keras_network(path)


def test_a_file_over_the_limit_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_file, "MAX_FILE_BYTES", 1000)
    with pytest.raises(KerasFileError, match="at most 1000 bytes"):
        read_keras_file(path)


@pytest.mark.parametrize("layer", ["dConv_01", "dConv_03", "dBNorm_06", "dDecision", "aConv_02", "aDecision"])
def test_a_missing_layer_is_named(tmp_path: Path, layers: Layers, layer: str) -> None:
    del layers[layer]
    with pytest.raises(KerasLayerError, match=layer):
        read_keras_network(_write_weights(tmp_path, layers))


@pytest.mark.parametrize(
    ("layer", "weight"), [("dBNorm_01", "gamma"), ("dConv_07", "kernel"), ("dConv_02", "scale"), ("x", "y")]
)
def test_a_layer_or_weight_too_many_is_named(tmp_path: Path, layers: Layers, layer: str, weight: str) -> None:
    layers[layer] = layers.get(layer, {}) | {weight: np.zeros(3, dtype=np.float32)}
    with pytest.raises(KerasLayerError, match=f"{layer}/{weight}' is not one of the published network"):
        read_keras_network(_write_weights(tmp_path, layers))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("dConv_03/kernel", (3, 3, 16, 8), r"expected shape \(3, 3, 8, 16\) for khoo2022-pixel, got \(3, 3, 16, 8\)"),
        ("dConv_01/kernel", (3, 3, 4, 3), "only networks on RGB pixels or on grey DCT"),
        ("dConv_01/kernel", (81,), "only networks on RGB pixels or on grey DCT"),
        ("dDecision/kernel", (512, 1), r"expected shape \(32, 1\)"),
        ("aDecision/kernel", (32, 2), r"expected shape \(32, 1\)"),
        ("aBNorm_02/gamma", (), r"expected shape \(32,\) for khoo2022-pixel, got \(\)"),
    ],
)
def test_a_weight_of_another_shape_is_refused(
    tmp_path: Path, layers: Layers, name: str, shape: tuple[int, ...], message: str
) -> None:
    layer, weight = name.split("/")
    layers[layer][weight] = np.zeros(shape, dtype=np.float32)
    with pytest.raises(KerasWeightError, match=f"{name}.*{message}"):
        read_keras_network(_write_weights(tmp_path, layers))


@pytest.mark.parametrize("count", [0, 31, 32 * 15, 32 * 16 + 1])
def test_a_dct_network_for_no_square_image_is_refused(tmp_path: Path, count: int) -> None:
    layers = make_keras_layers("dct", 32)
    layers["dDecision"]["kernel"] = np.zeros((count, 1), dtype=np.float32)
    with pytest.raises(ManyheadsError, match="dDecision/kernel"):
        read_keras_network(_write_weights(tmp_path, layers))
