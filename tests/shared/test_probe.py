import json
from collections.abc import Callable

import numpy as np
import pytest
import torch

from manyheads_shared import networks
from manyheads_shared.architectures import get_architecture
from manyheads_shared.compute import choose_compute
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import FeatureContractError
from manyheads_shared.image import Pixels
from manyheads_shared.lanes import measure_probe
from manyheads_shared.manifest import Preprocessing
from manyheads_shared.networks import Primary
from manyheads_shared.preprocess import Network, Preprocessor, dct_statistics, log_dct
from manyheads_shared.probe import PROBE_IMAGES, PROJECTIONS, TOLERANCE, probe_images, project, verify_probe
from tests.support.makers import SIZE, make_images

Rows = tuple[tuple[float, ...], ...]
CPU = choose_compute("cpu", "float32")
DIGESTS = {None: "d29e693d", 32: "eb199cf7", 64: "618f70cc"}  # the first eight digits
PROJECTED = "[0.0385742, 0.0200195, 0.817383, -0.124512, 0.224121, 0.387695, 0.102051, -0.268066]"
SIZES = [None, 16, 24, 32, 64, 100, 128, 224, 256]


class _Other(Preprocessor):
    """Preprocessing with a change made after it."""

    change: Callable[[Network], Network]

    def __call__(self, pixels: Pixels) -> Network:
        return self.change(super().__call__(pixels)).astype(np.float32)


def _primary(name: str, seed: int) -> tuple[Primary, Preprocessor]:
    """An untrained primary whose batch norm knows its features, as a trained one's does."""
    architecture = get_architecture(name)
    spec = Preprocessing(representation=architecture.representation, image_size=SIZE, fit="resize")
    preprocess = Preprocessor(spec, *(dct_statistics(make_images(8)) if architecture.representation == "dct" else ()))
    primary = networks.build_primary(architecture, SIZE, seed=seed)
    for layer in primary.trunk:
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        primary(torch.from_numpy(preprocess.batch(make_images(16, seed=seed))))
    return primary.eval(), preprocess


def _changed(preprocess: Preprocessor, change: Callable[[Network], Network]) -> Preprocessor:
    other = _Other(preprocess.spec, preprocess.mean, preprocess.std)
    object.__setattr__(other, "change", change)
    return other


def _distance(first: Rows, second: Rows) -> float:
    a, b = np.asarray(first), np.asarray(second)
    return float(np.abs(a - b).max() / np.sqrt((b**2).mean()))


def test_probe_images_are_the_same_for_ever() -> None:
    digests = {size: digest_bytes(b"".join(image.tobytes() for image in probe_images(size)))[7:15] for size in (None, 32, 64)}

    assert digests == DIGESTS


@pytest.mark.parametrize("size", SIZES)
def test_probe_images_have_the_size_of_the_primary(size: int | None) -> None:
    images = probe_images(size)

    assert [image.shape for image in images] == [(size or 128, size or 128, 3)] * PROBE_IMAGES
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("size", range(16, 520, 24))
def test_no_coefficient_of_a_probe_image_is_mere_rounding(size: int) -> None:
    for image in probe_images(size):
        assert log_dct(image).min() > np.log(1e-7)


def test_projections_are_the_same_for_ever() -> None:
    features = np.arange(16 * 4 * 4, dtype=np.float32).reshape(16, 4, 4) / np.float32(256)

    assert json.dumps(project(features)) == PROJECTED


def test_a_probe_has_four_rows_of_eight() -> None:
    probe = measure_probe(*_primary("khoo2022-pixel", 0), CPU)

    assert [len(row) for row in probe] == [PROJECTIONS] * PROBE_IMAGES
    verify_probe(probe, probe, name="itself")


@pytest.mark.parametrize("name", ["khoo2022-pixel", "khoo2022-dct"])
@pytest.mark.parametrize("seed", range(3))
def test_another_kernel_stays_far_within_the_tolerance(name: str, seed: int) -> None:
    primary, preprocess = _primary(name, seed)
    probe = measure_probe(primary, preprocess, CPU)
    plain = measure_probe(primary.to(memory_format=torch.contiguous_format).double().float(), preprocess, CPU)
    batch = torch.from_numpy(preprocess.batch(probe_images(SIZE))).double()
    with torch.inference_mode():
        exact = tuple(project(features) for features in primary.double().trunk(batch).numpy())

    assert _distance(plain, probe) < TOLERANCE / 50
    assert _distance(exact, probe) < TOLERANCE / 50


@pytest.mark.parametrize("name", ["khoo2022-pixel", "khoo2022-dct"])
@pytest.mark.parametrize("seed", range(3))
def test_float16_weights_pass_and_eight_bit_weights_do_not(name: str, seed: int) -> None:
    primary, preprocess = _primary(name, seed)
    probe = measure_probe(primary, preprocess, CPU)
    weights = primary.trunk.state_dict()

    def measured(change: Callable[[torch.Tensor], torch.Tensor]) -> Rows:
        primary.trunk.load_state_dict({n: change(t) if t.is_floating_point() else t for n, t in weights.items()})
        return measure_probe(primary, preprocess, CPU)

    verify_probe(probe, measured(lambda tensor: tensor.half().float()), name="float16")
    with pytest.raises(FeatureContractError):
        verify_probe(probe, measured(lambda t: (t * 127 / t.abs().max()).round() / 127 * t.abs().max()), name="8 bit")


DRIFTS: dict[str, tuple[str, Callable[[Network], Network]]] = {
    "blue for red": ("khoo2022-pixel", lambda image: image[::-1].copy()),
    "0..1 for -1..1": ("khoo2022-pixel", lambda image: image * 0.5 + 0.5),
    "mirrored": ("khoo2022-pixel", lambda image: image[:, :, ::-1].copy()),
    "rows for columns": ("khoo2022-dct", lambda image: image.transpose(0, 2, 1).copy()),
    "a spread of 5 % more": ("khoo2022-dct", lambda image: image / 1.05),
    "another mean": ("khoo2022-dct", lambda image: image + 0.1),
}


@pytest.mark.parametrize("case", DRIFTS)
@pytest.mark.parametrize("seed", range(2))
def test_other_preprocessing_is_caught(case: str, seed: int) -> None:
    name, change = DRIFTS[case]
    primary, preprocess = _primary(name, seed)
    probe = measure_probe(primary, preprocess, CPU)

    with pytest.raises(FeatureContractError, match="tolerance"):
        verify_probe(probe, measure_probe(primary, _changed(preprocess, change), CPU), name=case)


@pytest.mark.parametrize("seed", range(3))
def test_weights_that_moved_by_a_hundredth_are_caught(seed: int) -> None:
    primary, preprocess = _primary("khoo2022-pixel", seed)
    probe = measure_probe(primary, preprocess, CPU)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in primary.trunk.parameters():
            weight.mul_(1 + 0.01 * torch.randn(weight.shape, generator=draw))

    with pytest.raises(FeatureContractError):
        verify_probe(probe, measure_probe(primary, preprocess, CPU), name="moved")


def test_batch_norm_left_in_training_mode_is_caught() -> None:
    primary, preprocess = _primary("khoo2022-pixel", 0)
    probe = measure_probe(primary, preprocess, CPU)

    with pytest.raises(FeatureContractError):
        verify_probe(probe, measure_probe(primary.train(), preprocess, CPU), name="training")


MEASURED: Rows = ((1.0,) * 8,) * 4
PROMISES: dict[str, Rows] = {
    "too few rows": MEASURED[:3],
    "rows of different lengths": (*MEASURED[:3], (1.0,) * 7),
    "no rows": (),
    "so large that its own size would hide the difference": ((1e308,) * 8,) * 4,
    "one number off": (*MEASURED[:3], (1.02, *(1.0,) * 7)),
    "not a number": ((float("nan"),) * 8,) * 4,
}


@pytest.mark.parametrize("case", PROMISES)
def test_a_promise_that_is_not_kept_is_refused(case: str) -> None:
    with pytest.raises(FeatureContractError, match="head x"):
        verify_probe(PROMISES[case], MEASURED, name="head x")


def test_features_that_are_not_a_number_are_refused() -> None:
    with pytest.raises(FeatureContractError):
        verify_probe(MEASURED, ((float("nan"),) * 8,) * 4, name="head x")
