"""What compression leaves in the pixels, whatever file they lie in now. Pure functions of luma, float (H, W), 0..255.

A photograph that was once a JPEG and is a PNG today still shows it: block edges every eight pixels, and 8x8 cosine
coefficients that sit on multiples of the old quantisation steps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from manyheads_contributor.audit.container import scaled_luma

BLOCK = 8  # pixels: JPEG
QUALITIES = tuple(range(30, 91, 5))  # finer steps than quality 90's drown in the rounding of the pixels
_LOW = tuple((u, v) for u in range(5) for v in range(5) if 1 <= u + v <= 4)  # 14 coefficients: below them are mostly zeros
_STEPS = np.array([[scaled_luma(quality)[u, v] for u, v in _LOW] for quality in QUALITIES], dtype=np.float32)
_COSINES = fft.dct(np.eye(BLOCK), axis=0, norm="ortho")[:5].astype(np.float32)  # (5, 8): the low end of JPEG's transform
_MIN_SAMPLES = 40  # coefficients beyond half a step; fewer say nothing
_MAX_BLOCKS = 256  # spread over the image
_FLOOR = 0.05  # grey levels, added to both sides of a ratio: flat images have no edges to compare

Luma = NDArray[np.float32]


@dataclass(frozen=True)
class History:
    """Traces of earlier compression."""

    grid: float  # log2 of the edge energy on the 8x8 grid over that half a block away; 0 without history
    shifted_grid: float  # the largest such ratio at another phase: cropped after a JPEG, or compressed twice
    lattice: float  # how well the coefficients fit one JPEG's steps: 1 exactly, 0 not at all
    lattice_quality: int | None  # of that JPEG, when the fit is good


GOOD_FIT = 0.5


def measure_history(luma: Luma) -> History:
    """Measure every trace of compression in one image of at least 16 pixels a side."""
    phases = _edge_energy(luma) + _edge_energy(luma.T)
    # against the phase half a block away: up-convolution leaves patterns of period 2 and 4, which cancel
    ratios = np.log2((phases + _FLOOR) / (np.roll(phases, BLOCK // 2) + _FLOOR))
    fits = lattice_fits(luma)
    best = int(fits.argmax())
    return History(
        grid=float(ratios[BLOCK - 1]),
        shifted_grid=float(np.delete(ratios, (BLOCK - 1, BLOCK // 2 - 1)).max()),
        lattice=float(fits[best]),
        lattice_quality=QUALITIES[best] if fits[best] >= GOOD_FIT else None,
    )


def lattice_fits(luma: Luma) -> NDArray[np.float64]:
    """How well the aligned 8x8 cosine coefficients sit on the steps of each of `QUALITIES`; 1 exactly, about 0 at random.

    The mean of cos(2 pi c / step) over low frequencies, where the coefficient c is beyond half a step: smaller ones lie
    around zero in any image.
    """
    height, width = (side // BLOCK * BLOCK for side in luma.shape)
    blocks = (
        luma[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)
    )
    spectrum = _COSINES @ blocks[:: -(-len(blocks) // _MAX_BLOCKS)] @ _COSINES.T  # (blocks, 5, 5)
    low = np.stack([spectrum[:, u, v] for u, v in _LOW], axis=1)  # (blocks, 14)
    turns = low[np.newaxis] / _STEPS[:, np.newaxis]  # (qualities, blocks, 14)
    counted = np.abs(turns) > 0.5
    samples = counted.sum(axis=(1, 2))
    sums = np.cos(2 * np.pi * turns, where=counted, out=np.zeros_like(turns)).sum(axis=(1, 2), dtype=np.float64)
    return np.where(samples >= _MIN_SAMPLES, sums / np.maximum(samples, 1), 0.0)


def _edge_energy(luma: Luma) -> NDArray[np.float64]:
    """Mean size of the edge between columns x and x + 1 beyond what both sides lead to expect, by x modulo 8: float64 (8,)."""
    steps = np.diff(luma, axis=1)  # (H, W-1)
    surprise = np.abs(steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2).mean(axis=0)  # x = 1 .. W-3
    columns = np.arange(1, surprise.size + 1) % BLOCK
    return np.bincount(columns, weights=surprise, minlength=BLOCK) / np.maximum(np.bincount(columns, minlength=BLOCK), 1)
