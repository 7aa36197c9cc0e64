"""Bytes to RGB pixels, once, the same everywhere, with limits. Inputs are hostile.

What cannot be decoded without guessing is refused with its reason; what is changed on the way is noted. Resizing and
normalising are for `manyheads_shared.preprocess`.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from manyheads_shared.errors import ImageError

Pixels = NDArray[np.uint8]

MAX_FILE_BYTES = 64 << 20
MAX_PIXELS = 100_000_000  # a 100-megapixel camera; 300 MB decoded
MIN_SIDE = 16  # pixels: the trunk's receptive field
FORMATS = ("PNG", "JPEG", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
DECODER = f"Pillow {PIL.__version__}"

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {  # EXIF orientation -> what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG_BIT_DEPTH = 24  # offset of IHDR's bit depth; Pillow reads 16-bit colour as 8-bit without a word
_PNG_END = b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class DecodedImage:
    """An image ready for preprocessing, and how it came."""

    pixels: Pixels  # uint8 (H, W, 3), RGB, 0..255
    file_format: str  # PNG, JPEG or WEBP
    mode: str  # Pillow's mode before conversion: RGB, L, P, RGBA …
    notes: tuple[str, ...]  # what decoding changed, in words


def read_image(path: Path) -> DecodedImage:
    """Decode a file; errors name it.

    Raises:
        ImageError: as `decode_image`, or the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return decode_image(stream.read(MAX_FILE_BYTES + 1))
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def decode_image(data: bytes) -> DecodedImage:
    """Decode an image.

    The plan: (1) size of the file; (2) a known format; (3) one frame, 8 bits a channel, a colour mode with one meaning;
    (4) dimensions, before anything is decoded; (5) every pixel, no truncation; (6) upright, opaque RGB.

    Raises:
        ImageError: a step fails; the message says what was expected, what came and what to do.
    """
    # step 1
    if not data:
        raise ImageError("expected an image, got an empty file")
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"expected at most {MAX_FILE_BYTES >> 20} MB, got more")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged metadata is no reason to refuse sound pixels; size is step 4
        # step 2
        with _open(data) as image:
            # step 3
            _refuse_ambiguous(image, data)
            # step 4
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ImageError(f"expected at most {MAX_PIXELS} pixels, got {width}x{height}")
            if min(width, height) < MIN_SIDE:
                raise ImageError(f"expected at least {MIN_SIDE} pixels a side, got {width}x{height}")
            # step 5
            try:
                image.load()
            except Exception as error:
                raise ImageError(f"the {image.format} image is truncated or damaged: {_reason(error)}") from error
            if image.format == "PNG" and _PNG_END not in data:  # Pillow does not ask for the end
                raise ImageError("the PNG image is truncated: its end is missing; fetch it again")
            # step 6
            return _to_rgb(image)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(f"expected at most {MAX_PIXELS} pixels: {error}") from error
    except UnidentifiedImageError as error:  # its message holds a memory address: no two alike
        raise ImageError("expected a PNG, JPEG or WebP image, got something else") from error
    except Exception as error:  # Pillow's plugins raise whatever a broken header leads them to
        raise ImageError(f"expected a PNG, JPEG or WebP image, got something else: {_reason(error)}") from error


def _refuse_ambiguous(image: Image.Image, data: bytes) -> None:
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise ImageError("expected one picture, got an animation; extract the frame you mean")
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F") or (image.format == "PNG" and data[_PNG_BIT_DEPTH] == 16):
        raise ImageError("expected 8 bits a channel, got 16; convert it, knowing that it changes the evidence")
    if image.mode not in ("RGB", "RGBA", "L", "LA", "P", "PA", "1"):
        raise ImageError(f"expected RGB, greyscale or palette colour, got {image.mode}; convert it to RGB first")


def _to_rgb(image: Image.Image) -> DecodedImage:
    notes: list[str] = []
    mode, file_format = image.mode, image.format or "?"
    if file_format == "MPO":  # what many phones and stereo cameras write
        file_format = "JPEG"
        notes.append("the JPEG file holds further pictures (MPO); the first was taken")
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION)
    except Exception:  # whatever damaged EXIF leads Pillow to
        orientation = None
        notes.append("the EXIF data is damaged and was ignored")
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
        notes.append(f"turned upright by EXIF orientation {orientation}")
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        if (rgba[..., 3] != 255).any():
            raise ImageError("expected an opaque image, got transparency; flatten it on the background you mean")
        notes.append("dropped a fully opaque alpha channel")
        return DecodedImage(np.ascontiguousarray(rgba[..., :3]), file_format, mode, tuple(notes))
    if mode != "RGB":
        notes.append(f"converted from {mode} to RGB")
    return DecodedImage(np.array(image.convert("RGB"), dtype=np.uint8), file_format, mode, tuple(notes))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
