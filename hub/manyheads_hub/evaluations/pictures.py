"""Pictures for a head card: a proof image, and beside it where the head sees its generator."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from manyheads_shared.digest import Digest, short
from manyheads_shared.image import Pixels
from manyheads_shared.overlay import overlay

SCALE = 10.0  # logits at the ends of the colours, the same on every card: 10 is odds of 22,000 to 1
MIN_SIDE, MAX_SIDE = 192, 512  # pixels; smaller images are enlarged by a whole factor, larger ones reduced
GAP = 8  # pixels of white between image and overlay


@dataclass(frozen=True)
class Picture:
    """A proof image beside its saliency."""

    caption: str
    logit: float
    png: bytes


def draw_picture(pixels: Pixels, evidence: NDArray[np.float32], logit: float, digest: Digest, title: str) -> Picture:
    """Draw one picture.

    Args:
        pixels: uint8 (H, W, 3), as the network saw the image.
        evidence: float32 (h, w), in logits; its mean plus the head's bias is `logit`.
        title: the generator, for the caption.
    """
    left = _resize(pixels)
    right = overlay(left, evidence, scale=SCALE)
    gap = np.full((left.shape[0], GAP, 3), 255, dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.hstack([left, gap, right])).save(stream, format="PNG")
    caption = (
        f"Proof image {short(digest)}, logit {logit:+.1f}. Red speaks for {title}, blue against it; "
        f"full colour from {SCALE:g} logits on, the same scale on every card."
    )
    return Picture(caption, logit, stream.getvalue())


def _resize(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    if max(height, width) > MAX_SIDE:
        reduced = Image.fromarray(pixels)
        reduced.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
        return np.asarray(reduced, dtype=np.uint8)
    factor = max(-(-MIN_SIDE // min(height, width)), 1)
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)
