"""Image files built part by part, also those that no library would write: PNG chunks, JPEG segments, TIFF directories."""

import io
import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from manyheads_shared.image import Pixels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112
_PASSES = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)  # Adam7: y, x, dy, dx

Chunk = tuple[bytes, bytes]  # name and body


def encode(picture: Image.Image | Pixels, file_format: str = "PNG", **options: Any) -> bytes:
    """Return a picture as Pillow writes it."""
    stream = io.BytesIO()
    opened = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    opened.save(stream, file_format, **options)
    return stream.getvalue()


def png_chunk(name: bytes, body: bytes = b"") -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(chunks: Iterable[Chunk]) -> bytes:
    """A PNG file of chunks, every checksum right."""
    return SIGNATURE + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_header(width: int, height: int, *, depth: int = 8, colour: int = 2, interlaced: bool = False) -> Chunk:
    """IHDR; colour 0 is grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))


def png_rows(samples: NDArray[np.uint8]) -> Chunk:
    """IDAT of bytes (H, bytes a row), no row filtered."""
    return b"IDAT", zlib.compress(np.insert(samples.reshape(len(samples), -1), 0, 0, axis=1).tobytes())


def png_interlaced(pixels: Pixels) -> Chunk:
    """IDAT of RGB pixels in Adam7's seven passes."""
    passes = (pixels[y::dy, x::dx] for y, x, dy, dx in _PASSES)
    rows = (np.insert(part.reshape(len(part), -1), 0, 0, axis=1).tobytes() for part in passes if part.size)
    return b"IDAT", zlib.compress(b"".join(rows))


def plain_png(pixels: Pixels, *, before: Iterable[Chunk] = (), after: Iterable[Chunk] = ()) -> bytes:
    """RGB pixels as a PNG, with chunks of your own before and after the pixels."""
    height, width = pixels.shape[:2]
    return png_of((png_header(width, height), *before, png_rows(pixels), *after, (b"IEND", b"")))


def png_chunks(data: bytes) -> list[Chunk]:
    """The chunks of a PNG file, as far as they are whole: name and body."""
    chunks, at = [], len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def mend_png(data: bytes) -> bytes:
    """A PNG with every length and checksum put right; anything else as it is."""
    return png_of(png_chunks(data)) if data.startswith(SIGNATURE) else data


def jpeg_segment(kind: int, body: bytes = b"") -> bytes:
    """A segment with its marker and length."""
    return bytes((0xFF, kind)) + struct.pack(">H", len(body) + 2) + body


def insert_segment(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with segments put right behind its start."""
    return b"".join((jpeg[:2], *segments, jpeg[2:]))


def repeat_scan(jpeg: bytes, count: int) -> bytes:
    """A JPEG whose last scan is there `count` times."""
    start, end = jpeg.rfind(b"\xff\xda"), jpeg.rfind(b"\xff\xd9")
    return jpeg[:start] + jpeg[start:end] * count + jpeg[end:]


def tiff(*entries: tuple[int, int, int, int], order: str = "<", start: int = 8, following: int = 0) -> bytes:
    """A TIFF structure of one directory; entries are tag, type (3 SHORT, 4 LONG), count, and the value or its offset."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start)
    written = b"".join(
        struct.pack(order + ("HHIHxx" if kind == 3 and values == 1 else "HHII"), tag, kind, values, value)
        for tag, kind, values, value in entries
    )
    return head + struct.pack(order + "H", len(entries)) + written + struct.pack(order + "I", following)


def orientation(value: int, *, order: str = "<") -> bytes:
    """EXIF data that says how a picture is turned."""
    return tiff((ORIENTATION, 3, 1, value), order=order)
