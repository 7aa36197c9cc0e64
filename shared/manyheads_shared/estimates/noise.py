"""Noise from the flattest blocks of an image, in the colour difference where pictures have the least detail."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.image import Pixels

_FLATTEST = 0.1  # quantile of the blocks
_SEEN = 0.73  # the strength it shows of white noise of strength 1 (simulated on 200,000 blocks)


def estimate_noise(blocks: Pixels) -> float:
    """Return the standard deviation of noise in each channel, grey levels.

    The Laplacian of Immerkaer (1996) cancels planes and edges along the axes; noise that is one for all three channels
    cancels with the picture and is not seen. A grey picture is measured itself, so that its texture counts as noise.

    Args:
        blocks: uint8 (N, 8, 8, 3).
    """
    red, green, blue = (blocks[..., channel].reshape(-1, 64).astype(np.float32) for channel in range(3))
    difference = red - 2 * green + blue
    coloured = bool(difference.any())
    strengths = np.square((difference if coloured else green) @ _laplacian()).mean(axis=1)
    gain = 36 * (6 if coloured else 1)  # of white noise's variance, by Laplacian and difference
    return float(np.sqrt(np.quantile(strengths, _FLATTEST) / gain)) / _SEEN


@cache
def _laplacian() -> NDArray[np.float32]:
    """Second differences along both axes of 64 pixels as one matrix, float32 (64, 36); whole numbers, so exact in any order."""
    second = np.array([np.roll([1, -2, 1, 0, 0, 0, 0, 0], shift) for shift in range(6)])
    return np.kron(second, second).T.astype(np.float32)
