"""Differential privacy of whole parties: clipping, noise, and what it comes to. Pure.

The promise: whoever sees every round's weights cannot tell whether one party's images were among the training's, up to
(epsilon, delta). It holds against those who see weights, not against the coordinator, who sees the updates. Neighbouring
trainings differ in one party whose updates are all zero.

Every party is in every round, so nothing is sampled and nothing amplified: T rounds of Gaussian noise are exactly one Gaussian
mechanism of sensitivity sqrt(T) (Dong, Roth, Su 2022), whose epsilon has a closed form (Balle, Wang 2018). No bound is lost.
Noise is drawn in floating point, which this analysis does not know (Mironov 2012).
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

_HIGHEST_EPSILON = 1e6  # beyond it a promise says nothing


def clip(change: NDArray[np.float64], norm: float) -> NDArray[np.float64]:
    """A change (d,) cut down to an L2 norm."""
    length = float(np.linalg.norm(change))
    return change if length <= norm else change * (norm / length)


def noisy_mean(
    changes: NDArray[np.float64], *, clip_norm: float, noise_multiplier: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """The mean of changes (n, d), each of at most the clip norm, with noise on their sum.

    Args:
        random: seeded by the system, and by nothing that is written down: who knows the noise can take it off.
    """
    noise = random.normal(scale=noise_multiplier * clip_norm, size=changes.shape[1])
    mean: NDArray[np.float64] = (changes.sum(axis=0) + noise) / len(changes)
    return mean


def spent_epsilon(noise_multiplier: float, rounds: int, delta: float) -> float:
    """Epsilon after so many rounds, at a delta.

    Raises:
        ValueError: too little noise for any promise.
    """
    if not rounds:
        return 0.0
    mu = math.sqrt(rounds) / noise_multiplier
    low, high = 0.0, 1.0
    while gaussian_delta(high, mu) > delta:
        high *= 2
        if high > _HIGHEST_EPSILON:
            raise ValueError(f"noise_multiplier {noise_multiplier:g} is too little for any promise over {rounds} rounds")
    if gaussian_delta(0.0, mu) <= delta:
        return 0.0
    for _ in range(200):  # to the last bit
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_delta(middle, mu) > delta else (low, middle)
    return high


def gaussian_delta(epsilon: float, mu: float) -> float:
    """The exact delta of a Gaussian mechanism with sensitivity mu times its noise (Balle, Wang 2018, theorem 8)."""
    second = epsilon + float(special.log_ndtr(-epsilon / mu - mu / 2))  # in logarithms: exp(epsilon) alone overflows
    return float(special.ndtr(-epsilon / mu + mu / 2)) - math.exp(min(second, 0.0))
