"""The parts of an image file, walked within limits before a decoder sees them. Inputs are hostile.

What makes pixels is kept and what is said about them left out, so that no profile, text, preview or appendix can occupy a
decoder. A WebP file is kept whole: its library walks it in no time itself. What the parts show is for
`manyheads_shared.image`.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from manyheads_shared.errors import ImageError
from manyheads_shared.tiff import find_number

MAX_PARTS = 100_000  # segments or chunks: a chunk for each row of the largest picture is fewer, and walking them takes 0.2 s
MAX_SCANS = 100  # of a JPEG: each visits every pixel, 0.1 s for 100 megapixels; encoders write about 10

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
EXIF_PREFIX = b"Exif\0\0"  # in a JPEG file; some programs write it into others too
_MPF = b"MPF\0"
_NUMBER_OF_PICTURES = 0xB001  # CIPA DC-007

_MARKER = re.compile(rb"\xff[^\x00\xff]")
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # there, RST0 to RST7 stand between coefficients
_EOI, _SOS, _APP1, _APP2 = 0xD9, 0xDA, 0xE1, 0xE2
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15
_BARE = frozenset(range(0xC0)) | frozenset(range(0xD0, 0xDA))  # markers without a length
_SAYING = frozenset(range(0xE1, 0xF0)) - {0xEE} | {0xFE}  # APP1 to APP15, COM; the decoder needs APP0 and APP14 for colours

_CHUNKS = {b"IHDR": "H", b"PLTE": "P", b"tRNS": "T", b"IDAT": "D", b"IEND": "E"}
_ORDER = re.compile("Hx*(Px*)?(Tx*)?D+x*E")  # PNG, 5.6; x: any other that a decoder may ignore
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # Adam7
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_INFLATED_BYTES = 1 << 20  # at once


@dataclass(frozen=True)
class Parts:
    """An image file taken apart."""

    file_format: str  # PNG, JPEG or WEBP
    pixels: bytes  # a file of that format, of nothing but what pixels are made of
    exif: bytes | None = None  # of a PNG or JPEG: a TIFF structure, unread
    colours: int | None = None  # of a PNG: how many its palette has
    is_animated: bool = False  # a PNG with further frames
    is_album: bool = False  # a JPEG with further pictures behind the first (MPO)


def take_apart(data: bytes) -> Parts:
    """Take an image file apart.

    Raises:
        ImageError: no known format; or a JPEG or PNG that is cut off, out of order or of too many parts.
    """
    if data.startswith(_PNG):
        return _take_png_apart(data)
    if data.startswith(_JPEG):
        return _take_jpeg_apart(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Parts("WEBP", data)
    raise ImageError("expected a PNG, JPEG or WebP image, got something else")


def _take_jpeg_apart(data: bytes) -> Parts:
    """Keep what stands before the first scan and makes pixels, and everything from there to the end of the first picture."""
    segments = list(_walk_jpeg(data))
    kinds = [kind for kind, _, _ in segments]
    scans, frames = kinds.count(_SOS), sum(kind in _FRAMES for kind in kinds)
    if scans > MAX_SCANS:
        raise ImageError(f"expected at most {MAX_SCANS} scans in a JPEG image, got {scans}; save it anew with fewer")
    if not scans or frames != 1:
        raise ImageError(f"the JPEG image is damaged: expected one frame and its scans, got {frames} and {scans}")
    before = segments[: kinds.index(_SOS)]
    kept = [data[start:end] for kind, start, end in before if kind not in _SAYING]
    scanned = data[segments[len(before)][1] : segments[-1][2]]
    exif = _first(data, before, _APP1, EXIF_PREFIX)
    index = _first(data, before, _APP2, _MPF)
    return Parts("JPEG", b"".join((data[:2], *kept, scanned)), exif, is_album=index is not None and _is_album(index))


def _walk_jpeg(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Segments as libjpeg sees them, to the end of the first picture: kind, start and end."""
    marker, at = _MARKER, 2
    for _ in range(MAX_PARTS):
        found = marker.search(data, at)
        if found is None:
            raise ImageError("the JPEG image is truncated: its end is missing; fetch it again")
        kind, start, at = data[found.end() - 1], found.start(), found.end()
        if kind not in _BARE:
            at += int.from_bytes(data[at : at + 2], "big")
        if at > len(data):
            raise ImageError("the JPEG image is truncated: it ends within a segment; fetch it again")
        yield kind, start, at
        if kind == _EOI:
            return
        if kind == _SOS:
            marker = _MARKER_IN_SCAN
    raise ImageError(f"expected at most {MAX_PARTS} segments in a JPEG image, got more; save it anew")


def _first(data: bytes, segments: list[tuple[int, int, int]], kind: int, start: bytes) -> bytes | None:
    """What follows `start` in the first segment of a kind that begins so."""
    bodies = (data[at + 4 : end] for found, at, end in segments if found == kind and data.startswith(start, at + 4))
    return next((body.removeprefix(start) for body in bodies), None)


def _is_album(index: bytes) -> bool:
    try:
        return (find_number(index, _NUMBER_OF_PICTURES) or 0) > 1
    except ValueError:
        return False


def _take_png_apart(data: bytes) -> Parts:
    """Keep the chunks that make pixels, their checksums verified."""
    chunks = list(_walk_png(data))
    if not _ORDER.fullmatch("".join(_letter(name) for name, _ in chunks)):
        found = ", ".join(ascii(name)[2:-1] for name in dict.fromkeys(name for name, _ in chunks) if _letter(name) != "x")
        raise ImageError(
            f"the PNG image is damaged: expected IHDR, PLTE, tRNS, IDAT, IEND, each in its place, got {found[:80]}"
        )
    kept = [chunk for name, chunk in chunks if name in _CHUNKS]
    for chunk in kept:
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise ImageError(f"the PNG image is damaged: the checksum of {chunk[4:8].decode()} is wrong; fetch it again")
    exif = next((chunk[8:-4] for name, chunk in chunks if name == b"eXIf"), None)
    colours = next(((len(chunk) - 12) // 3 for name, chunk in chunks if name == b"PLTE"), None)
    is_animated = any(name == b"fdAT" for name, _ in chunks)
    return Parts("PNG", b"".join((_PNG, *kept)), exif, colours, is_animated=is_animated)


def has_every_row(png: bytes) -> bool:
    """Whether the pixels of a PNG file that was taken apart are as many as its header announces. Inflates all of them."""
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", png, 16)
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(height - y) // dy), -(-(width - x) // dx)) for y, x, dy, dx in passes)
    missing: int = sum(rows * (1 + -(-columns * depth * _CHANNELS[colour] // 8)) for rows, columns in sizes if columns > 0)
    stream = zlib.decompressobj()
    for name, chunk in _walk_png(png):
        packed = chunk[8:-4] if name == b"IDAT" else b""
        while missing > 0 and (rows := stream.decompress(packed, _INFLATED_BYTES)):
            missing -= len(rows)
            packed = stream.unconsumed_tail
    return missing <= 0


def _walk_png(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Chunks to the end of the picture: name and the whole of it, length and checksum included."""
    at = len(_PNG)
    for _ in range(MAX_PARTS):
        if at + 12 > len(data):
            raise ImageError("the PNG image is truncated: its end is missing; fetch it again")
        length, name = struct.unpack_from(">I4s", data, at)
        chunk, at = data[at : at + 12 + length], at + 12 + length
        if at > len(data):
            raise ImageError("the PNG image is truncated: it ends within a chunk; fetch it again")
        yield name, chunk
        if name == b"IEND":
            return
    raise ImageError(f"expected at most {MAX_PARTS} chunks in a PNG image, got more; save it anew")


def _letter(name: bytes) -> str:
    """The letter of a chunk in `_ORDER`; `?` for one that nobody may ignore and we do not know."""
    return _CHUNKS.get(name) or ("x" if name.isalpha() and name[:1].islower() else "?")
