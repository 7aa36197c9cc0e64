"""Pixels as PNG files in memory. What a browser is given was decoded and encoded here: it never opens a stranger's file."""

import io

from PIL import Image

from manyheads_shared.image import Pixels

THUMBNAIL_PIXELS = 96  # longer side
_QUICK = 1  # of zlib: on loopback, time matters and size does not


def encode_png(pixels: Pixels) -> bytes:
    """Return a PNG file of pixels uint8 (H, W, 3), RGB."""
    return _encode(Image.fromarray(pixels))


def encode_thumbnail(pixels: Pixels) -> bytes:
    """Return a PNG file of the picture, made small."""
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    return _encode(image)


def _encode(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=_QUICK)
    return stream.getvalue()
