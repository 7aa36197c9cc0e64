"""Quality of a JPEG compression from what it left in the pixels of an image that is no JPEG file.

Decoded once and saved losslessly, a picture's DCT coefficients still lie at multiples of their quantisation steps, blurred
only by the rounding of pixels. Each quality's standard table is tried; the likeliest is named where it is far likelier
than no compression at all (after Fan and de Queiroz 2003, "Identification of bitmap compression history"). Of two compressions
the last shows; another grid, other tables and nearly any change since hide it.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from manyheads_shared.estimates.quantisation import luminance_tables
from manyheads_shared.image import Pixels

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # JFIF's, of R, G, B
_MAX_STEP = 96  # larger ones belong to qualities below 10, and to high frequencies that are empty below 40
_MAX_COEFFICIENT = 96  # larger ones are few
_BINS = 4  # of a histogram, for each grey level
_ROUNDING = 0.35  # standard deviation around a multiple, grey levels: 0.29 by rounding to 8 bits, and conversion to RGB
_OUTLIERS = 0.02  # share of coefficients that lie anywhere

_MIN_EVIDENCE = 20.0  # natural log of the likelihood ratio: one in 500 million
_MIN_EVIDENCE_EACH = 0.05  # the same for each coefficient; smooth images reach 0.02, quality 98 leaves 0.13


def find_quality(blocks: Pixels) -> int | None:
    """Return the quality of the last compression, 1 to 100, or None where there is no sign of one.

    Args:
        blocks: uint8 (N, 8, 8, 3) of JPEG's grid.
    """
    histograms = _histograms(blocks)
    count = float(histograms.sum())
    by_step = histograms @ _log_ratios()  # (63, _MAX_STEP + 1)
    steps = np.minimum(luminance_tables()[:, 1:], _MAX_STEP + 1)
    evidence = by_step[np.arange(63), steps - 1].sum(axis=1)  # (100,)
    best = int(evidence.argmax())
    return best + 1 if evidence[best] >= max(_MIN_EVIDENCE, _MIN_EVIDENCE_EACH * count) else None


def _histograms(blocks: Pixels) -> NDArray[np.float32]:
    """Magnitudes of each frequency's coefficients, float32 (63, bins), without those too small or too large to tell."""
    luma = np.rint(blocks.reshape(-1, 64, 3) @ _LUMA)  # whole numbers, as the decoder had them
    bins = np.rint(np.abs(luma @ _frequencies()) * _BINS).astype(np.intp)  # (N, 63)
    length = _MAX_COEFFICIENT * _BINS
    bins[bins >= length] = 0  # with those too small
    counts = np.bincount((bins + np.arange(63) * length).ravel(), minlength=63 * length).reshape(63, length)
    counts[:, :_BINS] = 0  # below one grey level every step is as likely
    return counts.astype(np.float32)


@cache
def _frequencies() -> NDArray[np.float32]:
    """The two-dimensional DCT of 64 pixels as one matrix, float32 (64, 63): all frequencies but the mean."""
    cosines = fft.dct(np.eye(8), axis=0, norm="ortho")
    return np.kron(cosines, cosines).T[:, 1:].astype(np.float32)


@cache
def _log_ratios() -> NDArray[np.float32]:
    """Log of how much likelier a magnitude is under a step than anywhere, float32 (bins, _MAX_STEP + 1); steps 1, 2, …

    The last column is for all larger steps, which say nothing.
    """
    magnitudes = (np.arange(_MAX_COEFFICIENT * _BINS) / _BINS)[:, np.newaxis]
    steps = np.arange(1, _MAX_STEP + 1)
    distances = magnitudes - np.rint(magnitudes / steps) * steps
    neighbours = np.arange(-2, 3).reshape(-1, 1, 1) * steps  # of small steps, the next multiples count too
    density = np.exp(-((distances + neighbours) ** 2) / (2 * _ROUNDING**2)).sum(axis=0) / (_ROUNDING * np.sqrt(2 * np.pi))
    ratios = (1 - _OUTLIERS) * density * steps + _OUTLIERS
    return np.pad(np.log(ratios), ((0, 0), (0, 1))).astype(np.float32)
