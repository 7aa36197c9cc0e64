"""Ladders of degradations: one operation at one strength a rung, mildest first. How far up figures hold is their validity.

A profile (`degradations`) mixes operations as they come together on an image's way; a ladder takes one alone and makes it
stronger, so that an examiner can say whether the image at hand lies within what was measured.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL.Image import Resampling

from manyheads_shared import operations
from manyheads_shared.digest import Digest
from manyheads_shared.image import Pixels

Ladder = Literal["jpeg", "scale", "blur", "noise", "crop"]

LADDERS: dict[Ladder, tuple[float, ...]] = {
    "jpeg": (90, 75, 50, 30),  # quality, chroma 4:2:0; 75 is a library's default, 30 looks broken
    "scale": (0.75, 0.5, 0.25),  # of the sides, Lanczos down and bicubic back; 0.25 is a camera's picture in a feed
    "blur": (0.5, 1.0, 2.0),  # sigma of a Gaussian, pixels
    "noise": (2, 5, 10),  # standard deviation, grey levels
    "crop": (0.05, 0.1, 0.2),  # share of the sides cut off, bicubic back to the old size
}


@dataclass(frozen=True, order=True)
class Rung:
    """One operation at one strength."""

    ladder: Ladder
    strength: float

    def __str__(self) -> str:
        return f"{self.ladder} {self.strength:g}"


RUNGS: tuple[Rung, ...] = tuple(Rung(ladder, strength) for ladder, strengths in LADDERS.items() for strength in strengths)


def climb(pixels: Pixels, rung: Rung, *, digest: Digest) -> Pixels:
    """Degrade one image by one rung; the same image always alike.

    Args:
        pixels: uint8 (H, W, 3), RGB; any size. The result has the same shape.
        digest: of the image's file; it fixes every draw.

    Raises:
        ImageError: more pixels a side than JPEG holds.
    """
    key = hashlib.sha256(f"rung|{rung}|{digest}".encode()).digest()
    draw = np.random.default_rng(int.from_bytes(key, "big"))
    match rung.ladder:
        case "jpeg":
            return operations.jpeg_at(pixels, int(rung.strength))
        case "scale":
            return operations.scale_at(pixels, rung.strength, Resampling.LANCZOS, Resampling.BICUBIC)
        case "blur":
            return operations.blur_at(pixels, rung.strength)
        case "noise":
            return operations.noise_at(pixels, rung.strength, draw)
        case "crop":
            return operations.crop_at(pixels, rung.strength, draw)
