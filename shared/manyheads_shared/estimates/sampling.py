"""The part of an image that is looked at, so that cost is bounded whatever its size. Never a resize."""

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.image import Pixels

Lines = tuple[NDArray[np.float32], NDArray[np.float32]]  # green, 0..255: (rows, width) and (columns, height)

SIDE = 1024  # pixels: of a larger image the centre
BLOCK = 8  # pixels: JPEG's
MAX_BLOCKS = 4096  # a quarter of a megapixel
MAX_LINES = 256  # of either direction, likewise


def take_centre(pixels: Pixels) -> Pixels:
    """Cut out the centre, uint8 (H, W, 3); JPEG's grid goes on beginning at its corner."""
    height, width = pixels.shape[:2]
    top, left = (max(side - SIDE, 0) // 2 // BLOCK * BLOCK for side in (height, width))
    return pixels[top : top + SIDE, left : left + SIDE]


def take_blocks(pixels: Pixels) -> Pixels:
    """Return blocks of JPEG's grid, uint8 (N, 8, 8, 3), N at least 1 and at most `MAX_BLOCKS`, evenly spread.

    Blocks with a channel at 0 or 255 are left out, unless they are most: what is cut off there is neither noise nor a
    multiple of a quantisation step.
    """
    rows, columns = (side // BLOCK for side in pixels.shape[:2])
    grid = pixels[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK, 3)
    chosen = np.linspace(0, rows * columns - 1, min(rows * columns, MAX_BLOCKS)).astype(np.intp)
    blocks = grid[chosen // columns, :, chosen % columns]
    flat = blocks.reshape(len(blocks), -1)
    whole = (flat.min(axis=1) > 0) & (flat.max(axis=1) < 255)
    return blocks[whole] if 4 * np.count_nonzero(whole) >= len(blocks) else blocks


def take_lines(pixels: Pixels) -> Lines:
    """Return evenly spread rows and columns of green, which holds most of the detail; at most `MAX_LINES` of each."""
    height, width = pixels.shape[:2]
    green = pixels[..., 1]
    rows, columns = green[:: -(-height // MAX_LINES)], green[:, :: -(-width // MAX_LINES)].T
    return rows.astype(np.float32, order="C"), columns.astype(np.float32, order="C")
