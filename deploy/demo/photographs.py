"""Crops of the openly licensed photographs that scikit-image ships inside its wheel. Nothing is downloaded.

A photograph is cut into tiles and every crop lies within one tile, so that whoever keeps tiles together (`TILE_PATTERN`)
holds out picture content that training never saw. All crops are resampled, whatever the photograph: a JPEG's 8x8 grid does
not survive that, and no photograph is sharper than another by its handling.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from skimage import data

from manyheads_shared.image import Pixels

SIZE = 64  # pixels a side of a crop
TILE_PATTERN = r"([a-z]+-tile\d+)"  # in a crop's file name: the tile it was cut from

_SMALLEST = 72  # pixels a side before resampling: every crop is reduced, by at least a tenth
_LARGEST = 256  # pixels a side: a face or a cup still fills the crop
_MIN_CONTRAST = 10.0  # grey levels, standard deviation: empty sky shows nothing to learn or to attribute


@dataclass(frozen=True)
class Photograph:
    """One photograph, how it is cut, and why it may be used."""

    name: str
    load: Callable[[], Pixels]
    tiles: tuple[int, int]  # rows, columns
    licence: str  # as stated in scikit-image's documentation of the function that loads it


def _inner_retina() -> Pixels:
    """The square inside the round picture, without its black corners."""
    pixels: Pixels = data.retina()[240:1170, 240:1170]  # type: ignore[no-untyped-call]
    return pixels


TRAINING: tuple[Photograph, ...] = (
    Photograph("astronaut", data.astronaut, (4, 4), "public domain (NASA)"),
    Photograph("chelsea", data.chelsea, (3, 4), "CC0 (Stefan van der Walt)"),
    Photograph("coffee", data.coffee, (3, 5), "CC0 (Rachel Michetti)"),
    Photograph("rocket", data.rocket, (3, 5), "public domain (SpaceX)"),
    Photograph("tissue", data.immunohistochemistry, (4, 4), "no known copyright restrictions (CMM, UFSC)"),
)
UNSEEN: tuple[Photograph, ...] = (
    Photograph("galaxies", data.hubble_deep_field, (2, 2), "public domain (NASA)"),
    Photograph("retina", _inner_retina, (3, 3), "CC0 (Häggström 2014)"),
)


@dataclass(frozen=True)
class Crop:
    """One crop and the tile it lies in."""

    photograph: str
    tile: int
    pixels: Pixels  # uint8 (SIZE, SIZE, 3)


def cut_crops(photographs: Sequence[Photograph], count: int, *, seed: int) -> list[Crop]:
    """Cut `count` random crops, equally many of every photograph: random tile, place, scale and side."""
    crops = []
    for i, photograph in enumerate(photographs):
        draw = np.random.default_rng([seed, i])
        image = Image.fromarray(photograph.load()).convert("RGB")
        share = count // len(photographs) + (i < count % len(photographs))
        crops += [_cut(photograph, image, draw) for _ in range(share)]
    return crops


def _cut(photograph: Photograph, image: Image.Image, draw: np.random.Generator) -> Crop:
    rows, columns = photograph.tiles
    width, height = image.width / columns, image.height / rows
    largest = min(width, height, _LARGEST)
    while True:
        tile = int(draw.integers(rows * columns))
        side = draw.uniform(_SMALLEST, largest)
        left = width * (tile % columns) + draw.uniform(0, width - side)
        top = height * (tile // columns) + draw.uniform(0, height - side)
        box = (left, top, left + side, top + side)
        pixels = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.LANCZOS, box=box))
        if draw.uniform() < 0.5:
            pixels = pixels[:, ::-1]
        if pixels.mean(axis=2).std() >= _MIN_CONTRAST:
            return Crop(photograph.name, tile, np.ascontiguousarray(pixels))
