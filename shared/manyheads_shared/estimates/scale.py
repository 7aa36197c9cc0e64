"""Scale from the frequency band: an image that was made smaller and large again holds nothing above the smaller one's band."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from manyheads_shared.estimates.sampling import Lines

_BANDS = 32  # parts of the band, from 0 to Nyquist
_FALL = 2.4  # exponent by which power falls with frequency in pictures that fill their band, along a line (measured)
_REFERENCE = slice(1, 5)  # bands that every picture fills: 0.03 to 0.16
_MISSING = 0.5  # log10 of power below what they lead one to expect: nearly half the amplitude is gone
_ROLL_OFF = 0.82  # of its band, the part that the usual filters keep by that measure
_FLOOR = 0.01  # of power: less than rounding to 8 bits leaves, so that log has something


def estimate_scale(lines: Lines) -> float:
    """Return the share of the frequency band that holds anything, in (0, 1]; 1 where all of it may.

    An image scaled by s and back shows about s, a blurred one its own share; noise fills the band again.
    """
    bands = min(_BANDS, *(axis.shape[1] // 2 for axis in lines))
    centres = (np.arange(bands) + 0.5) / bands
    power = sum(_power(axis, bands) for axis in lines) / 2
    level = power + _FALL * np.log10(centres)
    excess = level - level[_REFERENCE].mean() + _MISSING
    missing = (excess[:-1] < 0) & (excess[1:] < 0)  # two in a row: one may be chance
    missing[: _REFERENCE.stop - 1] = False
    if not missing.any():
        return 1.0
    first = int(missing.argmax())
    before, after = max(float(excess[first - 1]), 0.0), float(excess[first])
    edge = centres[first - 1] + (centres[first] - centres[first - 1]) * before / (before - after)
    return float(min(edge / _ROLL_OFF, 1.0))


def _power(lines: NDArray[np.float32], bands: int) -> NDArray[np.float64]:
    """Log10 of the mean power along lines in equal parts of the band, (bands,)."""
    length = lines.shape[1]
    window = _window(length)
    spectrum = fft.rfft((lines - lines.mean()) * window, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=0)[1:] / np.square(window).sum()
    starts = np.arange(bands) * power.size // bands
    sums, counts = np.add.reduceat(power, starts), np.diff(starts, append=power.size)
    levels: NDArray[np.float64] = np.log10(sums / counts + _FLOOR)
    return levels


@lru_cache(maxsize=64)
def _window(length: int) -> NDArray[np.float32]:
    """Hann's, without its zeros: the ends of a line do not meet, and would fill the band."""
    return np.hanning(length + 2)[1:-1].astype(np.float32)
