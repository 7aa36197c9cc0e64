"""Who holds which images, and which image is on which side. Decoded once and kept in the work folder."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.image import read_image

Side = Literal["train", "val", "test"]

REAL = "celeba"
PUBLIC = ("began-hee9joon", "dcgan-litalien")  # the earlier primary learned from these
NEW = ("began-sunshineatnoon", "wgan-litalien")  # the new primary learns from these too
PRIVATE = ("began-anantzoid", "lsgan-litalien")  # their owners' alone: a head each, for the earlier primary
OLD = (*PRIVATE, *PUBLIC)  # generators with a head for the earlier primary
SOURCES = (REAL, *PUBLIC, *NEW, *PRIVATE)
LIMITS: dict[Side, tuple[int, int]] = {"train": (2000, 700), "val": (300, 120), "test": (900, 280)}  # real, a generator
SIZE = 64  # pixels a side
_LATENT = re.compile(r"latent\d+")  # one picture over fourteen epochs: on one side all of them


@dataclass(frozen=True)
class Images:
    """Images of one side."""

    pixels: NDArray[np.uint8]  # (N, 64, 64, 3)
    sources: NDArray[np.str_]  # (N,)

    def of(self, *names: str) -> "Images":
        """Those of some sources."""
        chosen = np.isin(self.sources, names)
        return Images(self.pixels[chosen], self.sources[chosen])


def read_images(data: Path, work: Path) -> dict[Side, Images]:
    """Return every side of faces64, from the work folder or decoded into it."""
    path = work / "images.npz"
    if not path.exists():
        chosen = {side: Images(*_decode(data, side)) for side in LIMITS}
        np.savez(
            path, **{f"{side}-{what}": getattr(each, what) for side, each in chosen.items() for what in ("pixels", "sources")}
        )
    stored = np.load(path)
    return {side: Images(stored[f"{side}-pixels"], stored[f"{side}-sources"]) for side in LIMITS}


def _decode(data: Path, side: Side) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    found = [(source, path) for source in SOURCES for path in _choose(data, source, side)]
    pixels = np.stack([read_image(path).pixels for _, path in found])
    return pixels, np.array([source for source, _ in found])


def _choose(data: Path, source: str, side: Side) -> list[Path]:
    folder = data / ("real" if source == REAL else "generated") / source
    ranked = sorted((path for path in folder.iterdir() if _side(path) == side), key=lambda path: _draw(path.name))
    return ranked[: LIMITS[side][source != REAL]]


def _side(path: Path) -> Side:
    """Sides of 70, 10 and 20 %, drawn by latent where there is one, else by name."""
    match = _LATENT.search(path.name)
    place = _draw(match[0] if match else path.name)
    return "train" if place < 0.7 else "val" if place < 0.8 else "test"


def _draw(name: str) -> float:
    return int.from_bytes(hashlib.sha256(f"upgrades {name}".encode()).digest()[:6], "big") / (1 << 48)
