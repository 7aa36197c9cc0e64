"""Drawn pictures: smooth shapes and texture, so that compression, hashes and duplicates behave as on photographs."""

import numpy as np
from scipy import ndimage

from manyheads_shared.image import Pixels


def draw_pictures(count: int, *, size: int = 64, seed: int = 0) -> list[Pixels]:
    """Return `count` unlike pictures, uint8 (size, size, 3): noise with a 1/f spectrum, a different one each."""
    return [_draw(size, np.random.default_rng([seed, number])) for number in range(count)]


def _draw(size: int, draw: np.random.Generator) -> Pixels:
    layers = [
        ndimage.gaussian_filter(draw.normal(size=(size, size, 3)), (scale, scale, 0.5), mode="wrap") * scale**1.3
        for scale in (1, 2, 4, 8, 16)
    ]
    picture = np.sum(layers, axis=0)
    return np.asarray(np.clip(128 + 45 * picture / picture.std(), 0, 255), dtype=np.uint8)


def with_stripes(pixels: Pixels, period: int, levels: int) -> Pixels:
    """Return a picture with a brighter column at the start of every period, as up-convolutions leave them."""
    columns = np.where(np.arange(pixels.shape[1]) % period == 0, levels, 0)
    return np.asarray(np.clip(pixels.astype(np.int64) + columns[np.newaxis, :, np.newaxis], 0, 255), dtype=np.uint8)
