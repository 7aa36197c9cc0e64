"""RGB pixels to the network's input, as the primary's manifest says. numpy only; the same bytes on every machine.

pixel: x / 127.5 - 1, float32 (3, S, S) in [-1, 1].
dct: grey by ITU-R 601 rounded to uint8, type-II orthonormal DCT over rows then columns, ln(|c| + 1e-12), then
(x - mean) / std for each coefficient; float32 (1, S, S). Computed in float64.
Source: the published code's facts; Frank et al. 2020 for the representation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft

from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.errors import ImageError, ImageTooLargeError
from manyheads_shared.image import DecodedImage, Pixels
from manyheads_shared.manifest import Preprocessing

MAX_NATIVE_PIXELS = 16 << 20  # of an image scored as it is: every layer's memory grows with it
LOG_EPS = 1e-12  # keeps ln finite on a coefficient that is exactly zero

Network = NDArray[np.float32]


@dataclass(frozen=True)
class Preprocessor:
    """A manifest's preprocessing, with the per-coefficient statistics a dct primary carries."""

    spec: Preprocessing
    mean: NDArray[np.float32] | None = None  # (S, S), dct only
    std: NDArray[np.float32] | None = None  # (S, S), dct only

    @classmethod
    def of(cls, primary: PrimaryArtifact) -> "Preprocessor":
        """Return the preprocessing that belongs to a primary."""
        statistics = primary.part("preprocessing")
        return cls(primary.manifest.preprocessing, statistics.get("mean"), statistics.get("std"))

    def __call__(self, pixels: Pixels) -> Network:
        """Preprocess one image.

        Args:
            pixels: uint8 (H, W, 3), RGB.

        Returns:
            float32 (3, S, S) for pixel, (1, S, S) for dct; S is the manifest's size, or (H, W) for native.

        Raises:
            ImageError: as `fit_image`.
        """
        fitted = fit_image(pixels, self.spec)
        if self.spec.representation == "pixel":
            return (fitted.transpose(2, 0, 1).astype(np.float32) / np.float32(127.5)) - np.float32(1)
        spectrum = log_dct(fitted)
        if self.mean is None or self.std is None:
            raise ValueError("a dct preprocessor needs the primary's mean and std")
        scale = np.maximum(self.std, np.float32(1e-6))  # a constant coefficient carries nothing
        return ((spectrum - self.mean) / scale).astype(np.float32)[np.newaxis]

    def batch(self, images: Sequence[Pixels]) -> Network:
        """Preprocess images of one resulting size into float32 (N, C, H, W)."""
        return np.stack([self(image) for image in images])


def fit_image(pixels: Pixels, spec: Preprocessing) -> Pixels:
    """Bring an image to the manifest's size; see `Preprocessing.fit`. Returns uint8 (S, S, 3).

    Raises:
        ImageTooLargeError: fit is `native` and the image is larger than a network can be given whole.
        ImageError: fit is `crop` and the image is smaller than the size.
    """
    size = spec.image_size
    height, width = pixels.shape[:2]
    if spec.fit == "native" or size is None:
        if height * width > MAX_NATIVE_PIXELS:
            raise ImageTooLargeError(
                f"expected at most {MAX_NATIVE_PIXELS} pixels for this primary, which takes images as they are, "
                f"got {width}x{height}; crop it, knowing that only the crop is examined"
            )
        return pixels
    if spec.fit == "crop":
        if min(height, width) < size:
            raise ImageError(f"expected at least {size}x{size} pixels for this primary, got {width}x{height}")
        return _centre(pixels, size)
    square = _centre(pixels, min(height, width))
    if square.shape[0] == size:
        return square
    resized = Image.fromarray(square).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(resized, dtype=np.uint8)


def fit_decoded(decoded: DecodedImage, spec: Preprocessing) -> DecodedImage:
    """Bring a decoded image to the manifest's size; its quantisation tables are kept as long as its blocks are.

    Raises:
        ImageError: as `fit_image`.
    """
    height, width = decoded.pixels.shape[:2]
    tables = () if is_resampled(width, height, spec) else decoded.quantisation
    return replace(decoded, pixels=fit_image(decoded.pixels, spec), quantisation=tables)


def is_resampled(width: int, height: int, spec: Preprocessing) -> bool:
    """Whether `fit_image` interpolates an image of this size: its finest traces are then lost."""
    return spec.fit == "resize" and spec.image_size is not None and min(width, height) != spec.image_size


def log_dct(pixels: Pixels) -> NDArray[np.float64]:
    """Log magnitude of the orthonormal type-II DCT of the grey image: float64 (H, W) from uint8 (H, W, 3)."""
    grey = np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.float64)
    return np.log(np.abs(fft.dctn(grey, type=2, norm="ortho")) + LOG_EPS)


def dct_statistics(images: Iterable[Pixels]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and population standard deviation of every log-DCT coefficient, by Welford's update in float64.

    Args:
        images: uint8 (S, S, 3), all of one size; at least one.

    Raises:
        ValueError: no image.
    """
    count, mean, spread = 0, np.zeros(()), np.zeros(())
    for count, pixels in enumerate(images, start=1):
        spectrum = log_dct(pixels)
        delta = spectrum - mean
        mean = mean + delta / count
        spread = spread + delta * (spectrum - mean)
    if not count:
        raise ValueError("statistics need at least one image")
    return mean.astype(np.float32), np.sqrt(spread / count).astype(np.float32)


def _centre(pixels: Pixels, size: int) -> Pixels:
    top, left = (pixels.shape[0] - size) // 2, (pixels.shape[1] - size) // 2
    return np.ascontiguousarray(pixels[top : top + size, left : left + size])
