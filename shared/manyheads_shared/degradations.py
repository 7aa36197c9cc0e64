"""Image degradations, by named profile: RGB uint8 in, RGB uint8 of the same shape out.

Every draw comes from (seed, profile, image digest), so an image is degraded the same way whatever the order, the batch or the
machine. Profiles live in one dictionary; a profile is a sequence of operations, each applied with its probability.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from manyheads_shared.digest import Digest
from manyheads_shared.errors import UsageError
from manyheads_shared.image import Pixels

Operation = Callable[[Pixels, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Step:
    """An operation and the chance that it is applied."""

    operation: Operation
    probability: float


def blur(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Gaussian blur, kernel 3, 5, 7 or 9, with the sigma that OpenCV derives from the kernel: 0.8, 1.1, 1.4 or 1.7."""
    kernel = int(draw.choice([3, 5, 7, 9]))
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    offsets = np.arange(kernel) - kernel // 2
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()
    rows = ndimage.correlate1d(pixels, weights, axis=0, output=np.float32, mode="mirror")
    blurred = ndimage.correlate1d(rows, weights, axis=1, mode="mirror")
    return np.clip(np.rint(blurred), 0, 255).astype(np.uint8)


def crop(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Cut 5 to 20 % off height and width, split at random between the sides; bicubic back to the old size."""
    height, width = pixels.shape[:2]
    share = draw.uniform(0.05, 0.20)
    cut_y, cut_x = int(height * share), int(width * share)
    top, left = int(cut_y * draw.uniform()), int(cut_x * draw.uniform())
    inner = pixels[top : top + height - cut_y, left : left + width - cut_x]
    return np.asarray(Image.fromarray(inner).resize((width, height), Image.Resampling.BICUBIC), dtype=np.uint8)


def jpeg(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """JPEG compression at a quality of 10 to 75, chroma 4:2:0."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=int(draw.integers(10, 76)))
    return np.asarray(Image.open(stream), dtype=np.uint8)


def noise(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Gaussian noise of variance 5 to 20 (grey levels squared), each pixel and channel on its own; rounded, clipped."""
    sigma = np.sqrt(draw.uniform(5, 20))
    noisy = pixels + draw.normal(0, sigma, pixels.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


PROFILES: dict[str, tuple[Step, ...]] = {
    "clean": (),
    "paper-as-written": (Step(blur, 0.5), Step(crop, 0.5), Step(jpeg, 0.5), Step(noise, 0.5)),  # Khoo 2022, its text
}


def get_profile(name: str) -> tuple[Step, ...]:
    """Return a named profile.

    Raises:
        UsageError: no such profile.
    """
    if name not in PROFILES:
        raise UsageError(f"expected a degradation profile ({', '.join(PROFILES)}), got {name!r}")
    return PROFILES[name]


def degrade(pixels: Pixels, profile: str, *, seed: int, digest: Digest) -> Pixels:
    """Apply a profile to one image.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        profile: a key of `PROFILES`.
        seed: of the whole set.
        digest: of the image's file; with the seed it fixes every draw.

    Raises:
        UsageError: no such profile.
    """
    steps = get_profile(profile)
    key = hashlib.sha256(f"{profile}|{seed}|{digest}".encode()).digest()
    draw = np.random.default_rng(int.from_bytes(key, "big"))
    for step in steps:
        if draw.uniform() < step.probability:
            pixels = step.operation(pixels, draw)
    return pixels
