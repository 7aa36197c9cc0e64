"""Mild changes: what happens to an image that is merely passed on. A verdict that does not survive them says little."""

from collections.abc import Callable, Mapping

import numpy as np

from manyheads_shared.image import Pixels
from manyheads_shared.operations import jpeg_at

MILD_CHANGES: Mapping[str, Callable[[Pixels], Pixels]] = {
    "saved as JPEG of quality 95": lambda pixels: jpeg_at(pixels, 95),
    "saved as JPEG of quality 90": lambda pixels: jpeg_at(pixels, 90),
    "one row and one column cut off": lambda pixels: np.ascontiguousarray(pixels[1:, 1:]),
}


def change_mildly(pixels: Pixels) -> dict[str, Pixels]:
    """Return the image after each mild change, by the change's name.

    Args:
        pixels: uint8 (H, W, 3), RGB, as decoded; at least 17 pixels a side.

    Raises:
        ImageError: more pixels a side than JPEG holds.
    """
    return {name: change(pixels) for name, change in MILD_CHANGES.items()}
