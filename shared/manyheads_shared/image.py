"""Bytes to RGB pixels, once, the same everywhere, with limits. Inputs are hostile.

What cannot be decoded without guessing is refused with its reason; what is changed on the way is noted. Resizing and
normalising are for `manyheads_shared.preprocess`. Pillow gets only what pixels are made of (`manyheads_shared.parts`), by the
plugin of the file's own format: nothing else in a file can occupy it, mislead it or make it warn.
"""

import io
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from manyheads_shared.errors import ImageError, ImageTooLargeError, UnreadableImageError
from manyheads_shared.parts import EXIF_PREFIX, Parts, has_every_row, take_apart
from manyheads_shared.tiff import find_number

Pixels = NDArray[np.uint8]

MAX_FILE_BYTES = 64 << 20
MAX_PIXELS = 100_000_000  # a 100-megapixel camera; 300 MB decoded
MIN_SIDE = 16  # pixels: the trunk's receptive field
FORMATS = ("PNG", "JPEG", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
DECODER = (
    f"Pillow {features.version('pil')}, libjpeg-turbo {features.version('libjpeg_turbo')}, libwebp {features.version('webp')}"
)

_PLUGINS: dict[str, type[ImageFile]] = {"PNG": PngImageFile, "JPEG": JpegImageFile, "WEBP": WebPImageFile}
_EXIF_ORIENTATION = 0x0112
_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {  # EXIF orientation -> what turns the stored picture upright
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels[::-1].transpose(1, 0, 2),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: pixels.transpose(1, 0, 2)[::-1],
}
_PNG_BIT_DEPTH = 24  # offset of IHDR's bit depth; Pillow reads 16-bit colour as 8-bit without a word


@dataclass(frozen=True)
class DecodedImage:
    """An image ready for preprocessing, and how it came."""

    pixels: Pixels  # uint8 (H, W, 3), RGB, 0..255
    file_format: str  # PNG, JPEG or WEBP
    mode: str  # Pillow's mode before conversion: RGB, L, P, RGBA …
    notes: tuple[str, ...]  # what decoding changed, in words
    exif: bytes = b""  # a TIFF structure, unread (`manyheads_shared.tiff`); empty: none
    quantisation: tuple[tuple[int, ...], ...] = ()  # of a JPEG: its tables in the order of their numbers, each row by row


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
    except ValueError as error:  # a name with a zero byte
        raise UnreadableImageError(f"cannot be read: {error}") from error


def measure_image(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels, as stored, that a file's header announces; nothing is decoded.

    Raises:
        ImageError: empty, too large a file, or not an image of a known format.
    """
    with _named_trouble(parts := _take_apart(data)), _open(parts) as image:
        return image.size


def count_pixels(data: bytes) -> int:
    """Return how many pixels a file's header announces. Errors as `measure_image`."""
    width, height = measure_image(data)
    return width * height


def decode_image(data: bytes) -> DecodedImage:
    """Decode an image.

    The plan: (1) size of the file; (2) a known format, its parts within limits; (3) one picture, 8 bits a channel, a colour
    mode with one meaning; (4) dimensions, before anything is decoded; (5) every pixel, no truncation; (6) opaque RGB, upright.

    Raises:
        ImageTooLargeError: step 1 or 4 finds a limit passed.
        UnreadableImageError: there is not enough memory for it.
        ImageError: any step fails; the message says what was expected, what came and what to do.
    """
    # steps 1 and 2
    parts = _take_apart(data)
    with _named_trouble(parts):
        with _open(parts) as image:
            # step 3
            _refuse_ambiguous(image, parts)
            # step 4
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ImageTooLargeError(f"expected at most {MAX_PIXELS} pixels, got {width}x{height}")
            if min(width, height) < MIN_SIDE:
                raise ImageError(f"expected at least {MIN_SIDE} pixels a side, got {width}x{height}")
            # step 5
            image.load()
            _refuse_guesses(image, parts)
            mode, tables = image.mode, _read_tables(image)
            exif = (parts.exif or image.info.get("exif") or b"").removeprefix(EXIF_PREFIX)  # a WebP's is Pillow's to find
            picture = image.convert("RGBA" if image.has_transparency_data else "RGB")
        del image  # and with it what its decoder holds
        # step 6
        return replace(_to_rgb(picture, mode, exif, parts), exif=exif, quantisation=tables)


def _take_apart(data: bytes) -> Parts:
    if not data:
        raise ImageError("expected an image, got an empty file")
    if len(data) > MAX_FILE_BYTES:
        raise ImageTooLargeError(f"expected at most {MAX_FILE_BYTES >> 20} MB, got more")
    return take_apart(data)


def _open(parts: Parts) -> ImageFile:
    return _PLUGINS[parts.file_format](io.BytesIO(parts.pixels))


@contextmanager
def _named_trouble(parts: Parts) -> Iterator[None]:
    """Name what an image leads Pillow to, whichever of its methods stumbles over it."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise UnreadableImageError(
            "cannot be decoded: not enough memory; examine fewer at once, or on a larger machine"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(f"expected at most {MAX_PIXELS} pixels: {_reason(error)}") from error
    except Exception as error:  # ValueError, AssertionError, SyntaxError, struct.error …
        raise ImageError(f"the {parts.file_format} image is truncated or damaged: {_reason(error)}") from error


def _refuse_ambiguous(image: ImageFile, parts: Parts) -> None:
    if parts.is_animated or getattr(image, "n_frames", 1) > 1:
        raise ImageError("expected one picture, got an animation; extract the frame you mean")
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F") or (
        parts.file_format == "PNG" and parts.pixels[_PNG_BIT_DEPTH] == 16
    ):
        raise ImageError("expected 8 bits a channel, got 16; convert it, knowing that it changes the evidence")
    if image.mode not in ("RGB", "RGBA", "L", "LA", "P", "PA", "1"):
        raise ImageError(f"expected RGB, greyscale or palette colour, got {image.mode}; convert it to RGB first")


def _refuse_guesses(image: ImageFile, parts: Parts) -> None:
    """Refuse a PNG in which Pillow has filled in what the file does not say: rows that are missing, colours that are."""
    if parts.file_format != "PNG":
        return
    last_rows = (image.crop((0, y, image.width, y + 1)) for y in (image.height - 1, image.height - 2))  # interlaced: either
    if any(row.getbbox(alpha_only=False) is None for row in last_rows) and not has_every_row(parts.pixels):
        raise ImageError("the PNG image is truncated: its pixels end before its last row; fetch it again")
    if image.mode == "P" and parts.colours is not None:
        last = int(np.max(image.getextrema()))
        if last >= parts.colours:
            raise ImageError(f"the PNG image is damaged: it uses colour {last}, its palette has {parts.colours}")


def _read_tables(image: ImageFile) -> tuple[tuple[int, ...], ...]:
    tables: Mapping[int, list[int]] = getattr(image, "quantization", {})
    return tuple(tuple(tables[number]) for number in sorted(tables))


def _to_rgb(picture: Image.Image, mode: str, exif: bytes, parts: Parts) -> DecodedImage:
    """Pixels, upright and opaque, of a picture in RGB or RGBA that was stored in `mode`."""
    notes: list[str] = []
    pixels = np.asarray(picture)
    if parts.is_album:  # what many phones and stereo cameras write
        notes.append("the JPEG file holds further pictures (MPO); the first was taken")
    try:
        orientation = find_number(exif, _EXIF_ORIENTATION) if exif else None
    except ValueError:
        orientation = None
        notes.append("the EXIF data is damaged and was ignored")
    if orientation in _UPRIGHT:
        pixels = _UPRIGHT[orientation](pixels)
        notes.append(f"turned upright by EXIF orientation {orientation}")
    if picture.mode == "RGBA":
        if (pixels[..., 3] != 255).any():
            raise ImageError("expected an opaque image, got transparency; flatten it on the background you mean")
        notes.append("dropped a fully opaque alpha channel")
    elif mode != "RGB":
        notes.append(f"converted from {mode} to RGB")
    return DecodedImage(np.array(pixels[..., :3], order="C"), parts.file_format, mode, tuple(notes))


def _open_at_once(path: str, flags: int) -> int:
    """Opening a pipe waits for its writer, unless told not to."""
    return os.open(path, flags | os.O_NONBLOCK)


def _reason(error: Exception) -> str:
    """The error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
