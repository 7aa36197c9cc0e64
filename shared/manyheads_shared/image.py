"""Bytes to RGB pixels, once, the same everywhere, with limits. Inputs are hostile.

What cannot be decoded without guessing is refused with its reason; what is changed on the way is noted. Resizing and
normalising are for `manyheads_shared.preprocess`. Pillow warns of damaged metadata; whether a process shows such
warnings is for its command line (`manyheads_shared.terminal`), never for a decoder that may run in a thread.
"""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from manyheads_shared.errors import ImageError, ImageTooLargeError, UnreadableImageError

Pixels = NDArray[np.uint8]

MAX_FILE_BYTES = 64 << 20
MAX_PIXELS = 100_000_000  # a 100-megapixel camera; 300 MB decoded
MIN_SIDE = 16  # pixels: the trunk's receptive field
FORMATS = ("PNG", "JPEG", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
DECODER = f"Pillow {PIL.__version__}"

_EMPTY = "expected an image, got an empty file"
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
        ImageError: as `read_image_file` and `decode_image`, of the same class.
    """
    try:
        return decode_image(read_image_file(path))
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from error


def read_image_file(path: Path) -> bytes:
    """Return the bytes of a file, as many as an image may have and one more. Nothing that could wait for ever is opened.

    Raises:
        UnreadableImageError: it is not there, not a regular file, or the system does not let us read it.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise UnreadableImageError("cannot be read: expected a regular file, got a pipe, socket or device")
            return stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnreadableImageError(f"cannot be read: {error.strerror or error}") from error


def count_pixels(data: bytes) -> int:
    """Return how many pixels a file's header announces; nothing is decoded.

    Raises:
        ImageError: empty, or not an image of a known format.
    """
    if not data:
        raise ImageError(_EMPTY)
    with _open(data) as image:
        return image.width * image.height


def decode_image(data: bytes) -> DecodedImage:
    """Decode an image.

    The plan: (1) size of the file; (2) a known format; (3) one frame, 8 bits a channel, a colour mode with one meaning;
    (4) dimensions, before anything is decoded; (5) every pixel, no truncation; (6) upright, opaque RGB.

    Raises:
        ImageTooLargeError: step 1 or 4 finds a limit passed.
        ImageError: any step fails; the message says what was expected, what came and what to do.
    """
    # step 1
    if not data:
        raise ImageError(_EMPTY)
    if len(data) > MAX_FILE_BYTES:
        raise ImageTooLargeError(f"expected at most {MAX_FILE_BYTES >> 20} MB, got more")
    # step 2
    with _open(data) as image, _named_damage(image.format):
        # step 3
        _refuse_ambiguous(image, data)
        # step 4
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ImageTooLargeError(f"expected at most {MAX_PIXELS} pixels, got {width}x{height}")
        if min(width, height) < MIN_SIDE:
            raise ImageError(f"expected at least {MIN_SIDE} pixels a side, got {width}x{height}")
        # step 5
        image.load()
        if image.format == "PNG" and _PNG_END not in data:  # Pillow does not ask for the end
            raise ImageError("the PNG image is truncated: its end is missing; fetch it again")
        # step 6
        return _to_rgb(image)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(f"expected at most {MAX_PIXELS} pixels: {error}") from error
    except UnidentifiedImageError as error:  # its message holds a memory address: no two alike
        raise ImageError("expected a PNG, JPEG or WebP image, got something else") from error
    except Exception as error:  # Pillow's plugins raise whatever a broken header leads them to
        raise ImageError(f"expected a PNG, JPEG or WebP image, got something else: {_reason(error)}") from error


@contextmanager
def _named_damage(file_format: str | None) -> Iterator[None]:
    """Name what a damaged image leads Pillow to, whichever of its methods stumbles over it."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:  # ValueError, AssertionError, SyntaxError, struct.error …
        raise ImageError(f"the {file_format} image is truncated or damaged: {_reason(error)}") from error


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


def _open_at_once(path: str, flags: int) -> int:
    """Opening a pipe waits for its writer, unless told not to."""
    return os.open(path, flags | os.O_NONBLOCK)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
