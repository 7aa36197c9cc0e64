"""The search for a trigger goes through the very preprocessing that images go through, and its rule has two halves."""

import numpy as np
import pytest
import torch
from scipy import fft

from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.trigger_gains import TriggerGain, check_trigger, to_trigger_gain
from manyheads_hub.evaluations.triggers import _dct_basis, _differentiable, measure_gains
from manyheads_shared.artifact import read_head, read_primary
from manyheads_shared.compute import choose_compute
from manyheads_shared.preprocess import Preprocessor
from tests.support.makers import make_generator, make_images
from tests.support.world import draw_images, trained_head, trained_primary

CPU = torch.device("cpu")


def test_the_transform_as_a_matrix_is_the_transform() -> None:
    grey = np.random.default_rng(0).uniform(0, 255, (32, 32)).astype(np.float32)
    basis = _dct_basis(32).numpy()
    np.testing.assert_allclose(basis @ grey @ basis.T, fft.dctn(grey, type=2, norm="ortho"), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("architecture", ["khoo2022-pixel", "khoo2022-dct"])
def test_the_search_sees_what_the_networks_see(architecture: str) -> None:
    preprocess = Preprocessor.of(read_primary(trained_primary("1", architecture)))
    images = make_images(4)
    pixels = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).astype(np.float32))
    seen = _differentiable(preprocess, CPU)(pixels).numpy()
    assert np.corrcoef(seen.ravel(), preprocess.batch(images).ravel())[0, 1] > 0.95  # of the dct, the log's floor differs


@pytest.mark.parametrize("architecture", ["khoo2022-pixel", "khoo2022-dct"])
def test_a_search_raises_every_network_and_finds_the_same_again(architecture: str) -> None:
    primary = read_primary(trained_primary("1", architecture))
    head = read_head(trained_head(make_generator("alpha"), "1", architecture), primary)
    photographs = draw_images("photos", 6, seed=9)
    compute = choose_compute("cpu", "float32")
    first, second = (measure_gains(primary, [head], photographs, compute) for _ in range(2))
    assert first.shape == (2,)
    assert (first > 0).all()
    assert first.tolist() == second.tolist()


def test_photographs_of_several_sizes_are_cut_alike() -> None:
    primary = read_primary(trained_primary())
    images = [*draw_images("photos", 2, seed=9), make_images(1, size=48)[0][:40]]
    assert np.isfinite(measure_gains(primary, [], images, choose_compute("cpu", "float32"))).all()


@pytest.mark.parametrize(
    ("gain", "others", "refused"),
    [(1.2, 0.1, True), (1.2, 0.6, False), (0.5, 0.01, False), (1.2, -0.1, True), (0.75, 0.0, False)],
)
def test_a_head_is_refused_for_going_far_and_further_than_the_others(gain: float, others: float, refused: bool) -> None:  # noqa: FBT001
    reasons = check_trigger(TriggerGain(gain=gain, others=others), Policy.new())
    assert [reason.code for reason in reasons] == (["trigger-found"] if refused else [])


def test_a_gain_is_told_in_units_of_a_networks_own_contrast() -> None:
    found = to_trigger_gain(np.array([1.0, 6.0, 4.0, 9.0]), np.array([10.0, 12.0, 8.0, np.inf]))
    assert (found.gain, found.others) == (0.5, 0.5)
