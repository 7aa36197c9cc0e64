"""Image degradations, by named profile: RGB uint8 in, RGB uint8 of the same shape out.

Every draw comes from (seed, profile, image digest), so an image is degraded the same way whatever the order, the batch or the
machine. Profiles live in one dictionary; what their operations do is for `manyheads_shared.operations`.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from manyheads_shared.digest import Digest
from manyheads_shared.errors import UsageError
from manyheads_shared.image import Pixels
from manyheads_shared.operations import (
    Operation,
    blur,
    blur_as_run,
    crop,
    double_jpeg,
    jpeg,
    jpeg_as_run,
    noise,
    noise_as_run,
    rescale,
    screenshot,
    sharpen,
    webp,
)


@dataclass(frozen=True)
class Step:
    """An operation and the chance that it is applied."""

    operation: Operation
    probability: float


@dataclass(frozen=True)
class Profile:
    """Steps, taken in this order or, image by image, in a random one."""

    steps: tuple[Step, ...]
    random_order: bool = False


def _halves(*operations: Operation) -> Profile:
    """Each operation on half the images, independently, in this order: what Khoo 2022 does."""
    return Profile(tuple(Step(operation, 0.5) for operation in operations))


PROFILES: dict[str, Profile] = {
    "clean": Profile(()),
    # Khoo 2022 as its text says
    "paper-as-written": _halves(blur, crop, jpeg, noise),
    "paper-as-written-blur": _halves(blur),
    "paper-as-written-crop": _halves(crop),
    "paper-as-written-jpeg": _halves(jpeg),
    "paper-as-written-noise": _halves(noise),
    # Khoo 2022 as its code ran: the published tables
    "paper-as-run": _halves(blur_as_run, crop, jpeg_as_run, noise_as_run),
    "paper-as-run-blur": _halves(blur_as_run),
    "paper-as-run-crop": _halves(crop),
    "paper-as-run-jpeg": _halves(jpeg_as_run),
    "paper-as-run-noise": _halves(noise_as_run),
    # what an image goes through when it is shared, uploaded and saved again
    "laundering": Profile(
        (
            Step(rescale, 0.75),  # nearly every platform
            Step(double_jpeg, 0.75),  # the same
            Step(webp, 0.25),  # some
            Step(screenshot, 0.25),  # some people, in place of a download
            Step(sharpen, 0.25),  # some resizers and editors
        ),
        random_order=True,  # nobody knows the way an image came
    ),
}


def get_profile(name: str) -> Profile:
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
        pixels: uint8 (H, W, 3), RGB; any size.
        profile: a key of `PROFILES`.
        seed: of the whole set.
        digest: of the image's file; with the seed it fixes every draw.

    Raises:
        UsageError: no such profile.
        ImageError: more pixels a side than a format of the profile holds.
    """
    chosen = get_profile(profile)
    key = hashlib.sha256(f"{profile}|{seed}|{digest}".encode()).digest()
    draw = np.random.default_rng(int.from_bytes(key, "big"))
    order = draw.permutation(len(chosen.steps)) if chosen.random_order else range(len(chosen.steps))
    for step in (chosen.steps[number] for number in order):
        if draw.uniform() < step.probability:
            pixels = step.operation(pixels, draw)
    return pixels
