"""A tiny labelled world that a network learns in seconds: soft noise as photographs, and generators that leave a grid on it.

The grids are what up-convolutions leave, made plain: a checkerboard, or stripes.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from manyheads_shared.image import Pixels

SIZE = 32  # pixels a side
_AMPLITUDE = 24.0  # grey levels, of the grids

_ROWS, _COLUMNS = np.indices((SIZE, SIZE))
GRIDS: dict[str, NDArray[np.floating]] = {
    "checkers": _AMPLITUDE * (-1.0) ** (_ROWS + _COLUMNS),
    "stripes": _AMPLITUDE * (-1.0) ** _COLUMNS,
}


def write_patterned_world(root: Path, *, real: int, generated: int, external: int = 20, seed: int = 0) -> Path:
    """Write photographs, two generators and unseen photographs, as PNGs, in the standard layout."""
    draw = np.random.default_rng(seed)
    _write(root / "real" / "noise", [_picture(draw) for _ in range(real)])
    for name, grid in GRIDS.items():
        _write(root / "generated" / name, [_picture(draw, grid) for _ in range(generated)])
    _write(root / "external" / "real" / "noise", [_picture(draw) for _ in range(external)])
    return root


def _picture(draw: np.random.Generator, grid: NDArray[np.floating] | None = None) -> Pixels:
    blobs = ndimage.gaussian_filter(draw.normal(0, 400, (SIZE, SIZE, 3)), (4, 4, 0))
    values = 128 + blobs + draw.normal(0, 6, (SIZE, SIZE, 3))
    if grid is not None:
        values += grid[:, :, np.newaxis]
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _write(folder: Path, images: list[Pixels]) -> None:
    folder.mkdir(parents=True)
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{i:04d}.png")
