"""Blur from the sharpest edges of an image: blur it once more and see how much of their steepness goes.

A step that has been blurred already loses little of it; a sharp one loses most (the idea of Zhuo and Sim 2011, "Defocus map
estimation from a single image").
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.estimates.sampling import Lines

_KERNEL = np.array([1, 4, 6, 4, 1]) / 16  # of variance 1
_MIN_STEP = 12.0  # grey levels from one pixel to the next; gentler ones are shading, texture and noise
_SHARPEST = 0.75  # quantile of the edges: beyond it lie thin lines, which are sharper than any step
_MIN_EDGES = 8
_MAX_SIGMA, _SIGMA_STEP = 6.0, 0.025  # pixels, of the curve


def estimate_blur(lines: Lines) -> float:
    """Return the sigma, in pixels, of the Gaussian that makes a perfect step as soft as the sharpest edges; 0 without edges."""
    losses = np.concatenate([_losses(axis) for axis in lines])
    if losses.size < _MIN_EDGES:
        return 0.0
    sigmas, curve = _curve()
    return float(np.interp(-np.quantile(losses, _SHARPEST), -curve, sigmas))


def _losses(lines: NDArray[np.float32]) -> NDArray[np.floating]:
    """By what factor each edge across these lines loses steepness to another blur, (edges,)."""
    steps = np.diff(lines, axis=1)
    again = (steps[:, :-4] + steps[:, 4:] + 4 * (steps[:, 1:-3] + steps[:, 3:-1]) + 6 * steps[:, 2:-2]) / 16
    steps = np.abs(steps)
    middle = steps[:, 2:-2]
    edges = (middle >= _MIN_STEP) & (middle >= steps[:, 1:-3]) & (middle > steps[:, 3:-1])
    losses: NDArray[np.floating] = middle[edges] / np.maximum(np.abs(again[edges]), 1e-3)
    return losses


@cache
def _curve() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sigmas, rising, and by what factor a step that one of them has blurred loses steepness to another blur, falling."""
    sigmas = np.arange(0, _MAX_SIGMA + _SIGMA_STEP, _SIGMA_STEP)
    reach = int(4 * _MAX_SIGMA)
    offsets = np.arange(-reach, reach + 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # sigma 0 is the step itself
        steps = np.where(offsets == 0, 1.0, np.exp(-(offsets**2) / (2 * sigmas[:, np.newaxis] ** 2)))
    again = [_KERNEL @ row[reach - 2 : reach + 3] for row in steps]
    return sigmas, steps[:, reach] / again
