"""The feature contract: a short fingerprint of what a primary's features are, not only of what file they came from.

A digest says "the same bytes". The probe says "the same features": it catches a primary that was re-exported, quantised,
preprocessed otherwise, or run by a faulty kernel. Four fixed images go through preprocessing and trunk, always in float32;
the features are projected on eight fixed sign patterns. No torch here; `manyheads_shared.scoring` measures and compares.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.errors import FeatureContractError
from manyheads_shared.image import Pixels

PROBE_IMAGES = 4
PROJECTIONS = 8
NATIVE_PROBE_SIZE = 128  # pixels a side, for a primary that takes images as they are
SIGNIFICANT_DIGITS = 6
TOLERANCE = 0.01  # of the measured probe's root mean square; what it tells apart is in docs/decisions/0003


def probe_images(size: int | None) -> list[Pixels]:
    """Return the fixed images, uint8 (S, S, 3): a ramp, a checkerboard, white noise, and smoothed noise; all in colour.

    Each carries a fine grain: without it most coefficients of a ramp or a checkerboard are zero, and the logarithm of a dct
    primary would show the rounding of the machine.
    """
    side = size or NATIVE_PROBE_SIZE
    y, x = np.mgrid[0:side, 0:side]
    ramp = np.stack([x * 255 // (side - 1), y * 255 // (side - 1), 255 - x * 255 // (side - 1)], axis=-1)
    board = np.where(((x // 4 + y // 4) % 2)[..., np.newaxis], [225, 60, 30], [30, 40, 200])
    noise = _noise(b"noise", side)
    rolled = [np.roll(noise, (dy, dx), axis=(0, 1)) for dy in range(-2, 3) for dx in range(-2, 3)]
    smooth = 3 * (sum(rolled[1:], start=rolled[0]) // len(rolled) - 128) + [170, 120, 80]
    # with grain 12 no coefficient of any size up to 512 is nearly zero
    grain = _noise(b"grain 12", side) // 32 - 4
    return [np.clip(image + grain, 0, 255).astype(np.uint8) for image in (ramp, board, noise, smooth)]


def project(features: NDArray[np.float32]) -> tuple[float, ...]:
    """Project one image's features, float32 (C, H, W), on the sign patterns; eight numbers, rounded for a manifest."""
    flat = features.astype(np.float64).ravel()
    bits = np.unpackbits(_stream(b"signs", PROJECTIONS * ((flat.size + 7) // 8)).reshape(PROJECTIONS, -1), axis=1)
    signs = bits[:, : flat.size].astype(np.float64) * 2 - 1
    values = signs @ flat / np.sqrt(flat.size)
    return tuple(float(f"{value:.{SIGNIFICANT_DIGITS}g}") for value in values)


def verify_probe(expected: Sequence[Sequence[float]], measured: Sequence[Sequence[float]], *, name: str) -> None:
    """Compare a promised probe with a measured one.

    Raises:
        FeatureContractError: another shape, or further apart than the tolerance.
    """
    if any([len(row) for row in rows] != [PROJECTIONS] * PROBE_IMAGES for rows in (expected, measured)):
        raise FeatureContractError(f"{name}: expected probes of {PROBE_IMAGES} rows of {PROJECTIONS} numbers")
    wanted, found = np.asarray(expected, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    scale = float(np.sqrt(np.mean(found**2))) or 1.0  # of what was measured: a promise must not set its own tolerance
    distance = float(np.abs(wanted - found).max()) / scale
    if not distance <= TOLERANCE:
        raise FeatureContractError(
            f"{name}: the primary's features on the probe images differ by {distance:.3g} of their size "
            f"(tolerance {TOLERANCE}). The preprocessing, the weights or the arithmetic here are not those it was made with."
        )


def _noise(label: bytes, side: int) -> NDArray[np.int64]:
    """Uniform noise in 0..255, (side, side, 3)."""
    return _stream(label, side * side * 3).reshape(side, side, 3).astype(np.int64)


def _stream(label: bytes, count: int) -> NDArray[np.uint8]:
    """`count` bytes that are the same for ever: SHAKE-256 of a label."""
    return np.frombuffer(hashlib.shake_256(b"manyheads probe 1 " + label).digest(count), dtype=np.uint8)
