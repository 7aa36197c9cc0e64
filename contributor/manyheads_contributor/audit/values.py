"""What the pixel values say: range, brightness, contrast, colour, fine detail. Pure functions of pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.image import Pixels

_RED, _GREEN, _BLUE = np.float32(0.299), np.float32(0.587), np.float32(0.114)  # ITU-R 601, as JPEG


@dataclass(frozen=True)
class Values:
    """Summary of one image's values, 0..255 unless said otherwise."""

    darkest: int
    brightest: int
    brightness: float  # mean luma
    contrast: float  # standard deviation of luma
    colourfulness: float  # mean distance of the channels' extremes
    detail: float  # mean second difference of luma over contrast: 0 smooth, 1 grainy

    @property
    def stretched(self) -> bool:
        """Whether the values span exactly 0..255, as a min-max stretch leaves them."""
        return self.darkest == 0 and self.brightest == 255


def to_luma(pixels: Pixels) -> NDArray[np.float32]:
    """Return luma, float32 (H, W), not rounded, from uint8 (H, W, 3)."""
    luma: NDArray[np.float32] = pixels[..., 0] * _RED + pixels[..., 1] * _GREEN + pixels[..., 2] * _BLUE
    return luma


def measure_values(pixels: Pixels, luma: NDArray[np.float32]) -> Values:
    """Summarise uint8 (H, W, 3) pixels and a luma of theirs (the whole, or a crop of it)."""
    contrast = float(luma.std())
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    bends = np.abs(np.diff(luma, 2, axis=0)).mean() + np.abs(np.diff(luma, 2, axis=1)).mean()
    return Values(
        darkest=int(pixels.min()),
        brightest=int(pixels.max()),
        brightness=float(luma.mean()),
        contrast=contrast,
        colourfulness=float(spread.mean()),
        detail=float(bends / 2 / max(contrast, 1.0)),
    )
