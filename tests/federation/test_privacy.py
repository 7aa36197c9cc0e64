import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from manyheads_shared.federation.privacy import clip, gaussian_delta, noisy_mean, spent_epsilon


def test_epsilon_is_the_published_one() -> None:
    """Balle and Wang 2018: noise of 3.730631 times the sensitivity gives (1, 1e-5), where the classical bound asks for 4.84."""
    assert spent_epsilon(3.730631634816464, 1, 1e-5) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("epsilon", "mu"), [(0.0, 0.5), (0.5, 1.0), (2.0, 1.0), (4.0, 3.0)])
def test_delta_is_the_integral_that_defines_it(epsilon: float, mu: float) -> None:
    integral, _ = quad(lambda x: max(norm.pdf(x, mu) - math.exp(epsilon) * norm.pdf(x, 0), 0), -12, 20, limit=400)
    assert gaussian_delta(epsilon, mu) == pytest.approx(integral, abs=1e-7)


def test_rounds_add_up_as_one_release_with_less_noise() -> None:
    assert spent_epsilon(4.0, 16, 1e-5) == pytest.approx(spent_epsilon(1.0, 1, 1e-5), rel=1e-9)
    assert spent_epsilon(1.0, 0, 1e-5) == 0


def test_noise_that_promises_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="too little"):
        spent_epsilon(1e-4, 100, 1e-5)


def test_clipping_cuts_what_is_too_long_and_nothing_else() -> None:
    assert np.linalg.norm(clip(np.array([3.0, 4.0]), 1.0)) == pytest.approx(1)
    assert clip(np.array([0.3, 0.4]), 1.0).tolist() == [0.3, 0.4]


def test_noise_is_of_the_stated_size() -> None:
    mean = noisy_mean(np.zeros((10, 100_000)), clip_norm=2.0, noise_multiplier=1.5, random=np.random.default_rng(0))
    assert mean.std() == pytest.approx(2.0 * 1.5 / 10, rel=0.02)
