"""Saliency as a picture: a jet colour map half over the image. The client's report and the hub's head cards use the same.

The scale is fixed by the caller and never fitted to the image, so that the same colour means the same number of logits in
every picture: red speaks for the head's answer, blue against it, green says nothing. numpy and Pillow; no torch.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from manyheads_shared.image import Pixels

OPACITY = 0.5  # of the colours over the image


def overlay(pixels: Pixels, saliency: NDArray[np.float32], *, scale: float) -> Pixels:
    """Lay one saliency map over its image.

    Args:
        pixels: uint8 (H, W, 3), RGB: the image as the network saw it (`manyheads_shared.preprocess.fit_image`).
        saliency: float32 (h, w), in logits, of any size; it is interpolated bilinearly to (H, W).
        scale: logits, above 0. Colours run from `-scale` (dark blue) through 0 (green) to `scale` (dark red); what lies
            outside takes the colour of the end.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        ValueError: a scale that is not above 0, or a map that is not two-dimensional.
    """
    blend = (1 - OPACITY) * pixels.astype(np.float32) + OPACITY * 255 * _colour(saliency, pixels.shape, scale)
    return np.rint(blend).astype(np.uint8)


def draw_map(saliency: NDArray[np.float32], shape: tuple[int, ...], *, scale: float) -> Pixels:
    """The colours of `overlay` alone, for whoever lays them over the image with an opacity of their own.

    Args:
        saliency: float32 (h, w), as for `overlay`.
        shape: of the image: height and width come first.
        scale: as for `overlay`.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        ValueError: as `overlay`.
    """
    return np.rint(255 * _colour(saliency, shape, scale)).astype(np.uint8)


def _colour(saliency: NDArray[np.float32], shape: tuple[int, ...], scale: float) -> NDArray[np.float32]:
    """Colours float32 (H, W, 3), in [0, 1]."""
    if not scale > 0:
        raise ValueError(f"expected a scale above 0, got {scale}")
    if saliency.ndim != 2:
        raise ValueError(f"expected one saliency map (h, w), got shape {saliency.shape}")
    height, width = shape[:2]
    stretched = Image.fromarray(saliency.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return jet(np.asarray(stretched, dtype=np.float32) / np.float32(2 * scale) + np.float32(0.5))


def jet(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The jet colour map: dark blue at 0, blue, cyan, green at 0.5, yellow, red, dark red at 1.

    Args:
        values: float32 of any shape; clipped to [0, 1].

    Returns:
        float32 of that shape and a last axis of 3 (RGB), in [0, 1].
    """
    clipped = np.clip(values, 0, 1)[..., np.newaxis]
    centres = np.array([3, 2, 1], dtype=np.float32)  # of red, green and blue, in quarters of the range
    colours: NDArray[np.float32] = np.clip(np.float32(1.5) - np.abs(4 * clipped - centres), 0, 1)
    return colours
