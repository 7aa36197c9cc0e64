"""Items to labelled pixels: decoded once, fitted to the network's size, held in memory or, when there are too many, on disk.

What a network makes of the pixels is for `manyheads_contributor.examples`.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads_contributor.arrays import create_array
from manyheads_shared.dataset import Item
from manyheads_shared.degradations import degrade
from manyheads_shared.errors import DatasetError, ImageError
from manyheads_shared.image import Pixels, read_image
from manyheads_shared.manifest import Preprocessing
from manyheads_shared.preprocess import fit_image

MAX_MEMORY_BYTES = 4 << 30  # of decoded pixels; more go to a memory-mapped file

# Numbers that go into a network in one pass without gradients: 512 images of 128 x 128 in colour. Its layers take about fifteen
# bytes for each, 350 MB; at 512 x 512 as many images took 5.6 GB.
MAX_PASS_VALUES = 512 * 128 * 128 * 3

Labels = NDArray[np.float32]


@dataclass(frozen=True)
class Samples:
    """Images of one side of a split, in order."""

    items: tuple[Item, ...]
    pixels: NDArray[np.uint8]  # (N, H, W, 3), RGB, fitted
    enlarged: int  # images smaller than the network's size: what interpolation adds is in all of them

    def degraded(self, profile: str, seed: int) -> "Samples":
        """Return the same images degraded once, each by its own draw."""
        if profile == "clean":
            return self
        return Samples(self.items, degrade_batch(self.pixels, self.items, profile, seed), self.enlarged)


def primary_labels(items: Sequence[Item]) -> Labels:
    """1 for generated, 0 for real; float32 (N,)."""
    return np.array([item.kind == "generated" for item in items], dtype=np.float32)


def head_labels(items: Sequence[Item], generator: str) -> Labels:
    """1 for the generator's own images, 0 for all others, real or generated; float32 (N,)."""
    return np.array([item.kind == "generated" and item.source == generator for item in items], dtype=np.float32)


def read_samples(
    items: Sequence[Item], spec: Preprocessing, overflow: Path, *, on_image: Callable[[], None] = lambda: None
) -> Samples:
    """Decode and fit images.

    Args:
        items: at least one.
        spec: of the primary.
        overflow: file for the pixels if memory would be short.
        on_image: called after each image.

    Raises:
        DatasetError: an image is damaged or too small to fit; with fit native, one of another size than the first.
        OSError: the disk has no room for the pixels that memory does not hold (ENOSPC).
    """
    shape = read_fitted(items[0], spec)[0].shape
    pixels = _allocate((len(items), *shape), overflow)

    def place(i: int) -> bool:
        fitted, enlarged = read_fitted(items[i], spec)
        if fitted.shape != shape:
            raise DatasetError(
                f"{items[i].path}: expected {shape[1]}x{shape[0]} pixels like {items[0].path}, "
                f"got {fitted.shape[1]}x{fitted.shape[0]}; with fit native all training images are of one size"
            )
        pixels[i] = fitted
        on_image()
        return enlarged

    with ThreadPoolExecutor() as pool:
        enlarged = sum(pool.map(place, range(len(items))))
    return Samples(tuple(items), pixels, enlarged)


def read_fitted(item: Item, spec: Preprocessing) -> tuple[Pixels, bool]:
    """Decode one image and bring it to the primary's size; also whether that enlarged it.

    Raises:
        DatasetError: it is damaged, or too small for fit crop.
    """
    try:
        pixels = read_image(item.path).pixels
    except ImageError as error:
        raise DatasetError(f"{error}; move the file away") from error
    try:
        return fit_image(pixels, spec), min(pixels.shape[:2]) < (spec.image_size or 0)
    except ImageError as error:
        raise DatasetError(f"{item.path}: {error}") from error


def images_at_once(wanted: int, shape: tuple[int, ...]) -> int:
    """How many inputs of `shape` go through a network together without gradients: `wanted`, or fewer large ones."""
    return max(1, min(wanted, MAX_PASS_VALUES // math.prod(shape)))


def degrade_batch(pixels: NDArray[np.uint8], items: Sequence[Item], profile: str, seed: int) -> NDArray[np.uint8]:
    """Degrade fitted images (as published: after fitting); uint8 (N, H, W, 3) like `pixels`, which stay as they are."""
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda p, item: degrade(p, profile, seed=seed, digest=item.digest), pixels, items)))


def _allocate(shape: tuple[int, ...], overflow: Path) -> NDArray[np.uint8]:
    if np.prod(shape, dtype=np.int64) <= MAX_MEMORY_BYTES:
        return np.empty(shape, dtype=np.uint8)
    return create_array(overflow, np.uint8, shape)
