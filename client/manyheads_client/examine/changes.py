"""What an examiner tries on a copy of an image, to see whether the answers survive. Pure; the same copy every time."""

import hashlib
from collections.abc import Mapping
from dataclasses import astuple, dataclass

import numpy as np
from PIL.Image import Resampling

from manyheads_shared.digest import Digest
from manyheads_shared.image import Pixels
from manyheads_shared.operations import blur_at, crop_at, jpeg_at, noise_at, scale_at
from manyheads_shared.rungs import Ladder


@dataclass(frozen=True)
class Range:
    """How far one operation can be taken."""

    title: str
    least: float
    most: float
    step: float
    unchanged: float  # the end at which nothing is done
    unit: str


RANGES: Mapping[Ladder, Range] = {  # in the order in which they are done; each reaches past the last rung of its ladder
    "crop": Range("Crop", 0, 0.5, 0.01, 0, "of the sides cut off"),
    "scale": Range("Scale", 0.1, 1, 0.05, 1, "of the sides, and back"),
    "blur": Range("Blur", 0, 4, 0.1, 0, "pixels sigma"),
    "noise": Range("Noise", 0, 20, 0.5, 0, "grey levels"),
    "jpeg": Range("JPEG", 5, 100, 1, 100, "quality; 100: not saved again"),
}


@dataclass(frozen=True)
class Change:
    """Operations at strengths; whatever stands at its unchanged end is not done."""

    crop: float = RANGES["crop"].unchanged
    scale: float = RANGES["scale"].unchanged
    blur: float = RANGES["blur"].unchanged
    noise: float = RANGES["noise"].unchanged
    jpeg: float = RANGES["jpeg"].unchanged

    def __str__(self) -> str:
        return ", ".join(f"{name} {strength:g}" for name, strength in self.done.items()) or "nothing changed"

    @property
    def done(self) -> dict[Ladder, float]:
        """The operations that are done, with their strengths."""
        strengths = zip(RANGES, astuple(self), strict=True)
        return {name: strength for name, strength in strengths if strength != RANGES[name].unchanged}

    @property
    def query(self) -> str:
        """The same as the query of an address; empty where nothing is done."""
        return "&".join(f"{name}={strength:g}" for name, strength in self.done.items())

    def apply(self, pixels: Pixels, digest: Digest) -> Pixels:
        """Return the changed copy, of the same shape.

        Args:
            pixels: uint8 (H, W, 3), RGB, as decoded.
            digest: of the image's file; it fixes where a crop lies and what the noise is.

        Raises:
            ImageError: more pixels a side than JPEG holds.
        """
        draw = np.random.default_rng(int.from_bytes(hashlib.sha256(f"try|{self}|{digest}".encode()).digest(), "big"))
        for name, strength in self.done.items():
            pixels = _apply(pixels, name, strength, draw)
        return pixels


UNCHANGED = Change()


def _apply(pixels: Pixels, name: Ladder, strength: float, draw: np.random.Generator) -> Pixels:
    match name:
        case "crop":
            return crop_at(pixels, strength, draw)
        case "scale":
            return scale_at(pixels, strength, Resampling.LANCZOS, Resampling.BICUBIC)
        case "blur":
            return blur_at(pixels, strength)
        case "noise":
            return noise_at(pixels, strength, draw)
        case "jpeg":
            return jpeg_at(pixels, int(strength))
