"""What profiles are made of: operations on pixels, each with its own draw. RGB uint8 (H, W, 3) in, the same shape out.

Three groups: Khoo 2022 as its text says, Khoo 2022 as its code ran, and what an image goes through when it is shared. Which
of them are applied to an image, and in which order, is for `manyheads_shared.degradations`.
"""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from PIL.Image import Resampling
from scipy import ndimage

from manyheads_shared.errors import ImageError
from manyheads_shared.image import Pixels

Operation = Callable[[Pixels, np.random.Generator], Pixels]

KERNELS = (3, 5, 7, 9)  # pixels; Khoo 2022, both groups

# laundering
SCALES = (0.25, 1.0)  # of a side: 4000 pixels of a camera become 1080 in a feed; what is small already stays nearly as it is
ENLARGING = (Resampling.BILINEAR, Resampling.BICUBIC, Resampling.LANCZOS)  # what servers and editors offer
SHRINKING = (Resampling.BOX, *ENLARGING)  # and the mean of an area; enlarging by it leaves blocks that nobody publishes
FIRST_QUALITIES = (70, 95)  # JPEG; what cameras and editors save at
SECOND_QUALITIES = (50, 85)  # JPEG; what a platform saves again at, strict ones included
WEBP_QUALITIES = (50, 90)  # around the encoder's default of 75, at which delivery networks convert
ZOOMS = (1.1, 1.9)  # screens draw at 1.25, 1.5 or 1.75, or fit to a window; a whole number would keep the grid
SHIFTS = (-0.5, 0.5)  # pixels of the screen: a selection by hand hits no pixel of the original
RADII = (0.5, 2.0)  # pixels of the unsharp mask's blur: from a resizer's own sharpening to a photographer's
STRENGTHS = (50, 150)  # percent of the mask added: around the 100 to which editors set it


def blur(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Gaussian blur, kernel 3, 5, 7 or 9, with the sigma that OpenCV derives from the kernel: 0.8, 1.1, 1.4 or 1.7."""
    kernel = int(draw.choice(KERNELS))
    return _gaussian(pixels, kernel, 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8)


def blur_at(pixels: Pixels, sigma: float) -> Pixels:
    """Gaussian blur of one sigma, in pixels; the kernel reaches three of them."""
    return _gaussian(pixels, 2 * math.ceil(3 * sigma) + 1, sigma)


def crop(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Cut 5 to 20 % off height and width, split at random between the sides; bicubic back to the old size."""
    return crop_at(pixels, draw.uniform(0.05, 0.20), draw)


def crop_at(pixels: Pixels, share: float, draw: np.random.Generator) -> Pixels:
    """Cut one share off height and width, split at random between the sides; bicubic back to the old size."""
    height, width = pixels.shape[:2]
    cut_y, cut_x = int(height * share), int(width * share)
    top, left = int(cut_y * draw.uniform()), int(cut_x * draw.uniform())
    return _resize(pixels[top : top + height - cut_y, left : left + width - cut_x], height, width, Resampling.BICUBIC)


def jpeg(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """JPEG compression at a quality of 10 to 75, chroma 4:2:0."""
    return jpeg_at(pixels, int(draw.integers(10, 76)))


def noise(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Gaussian noise of variance 5 to 20 (grey levels squared), each pixel and channel on its own; rounded, clipped."""
    return noise_at(pixels, float(np.sqrt(draw.uniform(5, 20))), draw)


def noise_at(pixels: Pixels, sigma: float, draw: np.random.Generator) -> Pixels:
    """Gaussian noise of one standard deviation, in grey levels, each pixel and channel on its own; rounded, clipped."""
    noisy = pixels + draw.normal(0, sigma, pixels.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def blur_as_run(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Blur of kernel 3, 5, 7 or 9 and always sigma 4, nearly a box: the code gave the border's constant as the sigma."""
    return _gaussian(pixels, int(draw.choice(KERNELS)), 4.0)


def jpeg_as_run(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """JPEG compression at quality 95, chroma 4:2:0, with red and blue swapped in the encoder; nothing is drawn.

    The code gave its factor as the name of a parameter, which OpenCV ignores, and gave RGB where OpenCV expects BGR.
    """
    return np.ascontiguousarray(jpeg_at(pixels[..., ::-1], 95)[..., ::-1])


def noise_as_run(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Gaussian noise of standard deviation 5 to 20 grey levels; clipped, then truncated, which darkens by half a level."""
    noisy = pixels + draw.normal(0, draw.uniform(5, 20), pixels.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def rescale(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Make the image smaller, down to a quarter of its sides, and as large as before; a filter drawn for either way."""
    scale, down = draw.uniform(*SCALES), SHRINKING[draw.integers(len(SHRINKING))]
    return scale_at(pixels, scale, down, ENLARGING[draw.integers(len(ENLARGING))])


def scale_at(pixels: Pixels, scale: float, down: Resampling, up: Resampling) -> Pixels:
    """Make the image smaller, to one share of its sides, and as large as before."""
    height, width = pixels.shape[:2]
    return _resize(_resize(pixels, _scaled(height, scale), _scaled(width, scale), down), height, width, up)


def double_jpeg(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """JPEG compression twice, as camera and platform; the second time on a grid of 8 x 8 blocks that lies elsewhere."""
    first, second = (int(draw.integers(low, high + 1)) for low, high in (FIRST_QUALITIES, SECOND_QUALITIES))
    down, right = divmod(int(draw.integers(1, 64)), 8)  # (0, 0) would be the old grid
    shifted = np.pad(jpeg_at(pixels, first), ((down, 0), (right, 0), (0, 0)), mode="edge")
    return jpeg_at(shifted, second)[down:, right:]


def webp(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """WebP compression, lossy."""
    low, high = WEBP_QUALITIES
    return _compress(pixels, "WEBP", quality=int(draw.integers(low, high + 1)))


def screenshot(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Enlarge as a screen does, then sample back to the old size a fraction of a pixel beside."""
    height, width = pixels.shape[:2]
    zoom = draw.uniform(*ZOOMS)
    tall, wide = _scaled(height, zoom), _scaled(width, zoom)
    enlarged = _resize(pixels, tall, wide, Resampling.BILINEAR)
    screen = np.pad(enlarged, ((1, 1), (1, 1), (0, 0)), mode="edge")  # room for the shift
    top, left = 1 + draw.uniform(*SHIFTS, size=2)
    region = (left, top, left + wide, top + tall)
    return np.asarray(Image.fromarray(screen).resize((width, height), Resampling.BICUBIC, box=region), dtype=np.uint8)


def sharpen(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Sharpen by an unsharp mask."""
    mask = ImageFilter.UnsharpMask(draw.uniform(*RADII), int(draw.integers(STRENGTHS[0], STRENGTHS[1] + 1)), threshold=0)
    return np.asarray(Image.fromarray(pixels).filter(mask), dtype=np.uint8)


def _gaussian(pixels: Pixels, kernel: int, sigma: float) -> Pixels:
    """Blur by a kernel of so many pixels; the border is reflected without its last pixel, as OpenCV does."""
    offsets = np.arange(kernel) - kernel // 2
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()
    rows = ndimage.correlate1d(pixels, weights, axis=0, output=np.float32, mode="mirror")
    blurred = ndimage.correlate1d(rows, weights, axis=1, mode="mirror")
    return np.clip(np.rint(blurred), 0, 255).astype(np.uint8)


def _scaled(side: int, scale: float) -> int:
    return max(1, round(side * scale))


def _resize(pixels: Pixels, height: int, width: int, resampling: Resampling) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize((width, height), resampling), dtype=np.uint8)


def jpeg_at(pixels: Pixels, quality: int) -> Pixels:
    """JPEG compression at one quality, chroma 4:2:0."""
    return _compress(pixels, "JPEG", quality=quality, subsampling="4:2:0")


def _compress(pixels: Pixels, file_format: str, **options: Any) -> Pixels:
    """Encode and decode.

    Raises:
        ImageError: the image is larger than the format allows.
    """
    stream = io.BytesIO()
    try:
        Image.fromarray(pixels).save(stream, file_format, **options)
    except (OSError, ValueError) as error:  # JPEG ends at 65500 pixels a side, WebP at 16383
        height, width = pixels.shape[:2]
        raise ImageError(f"{width}x{height} pixels do not fit into a {file_format} file: {error}; make it smaller") from error
    return np.asarray(Image.open(stream), dtype=np.uint8)
