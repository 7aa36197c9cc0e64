"""What the file says before a pixel is decoded: format, dimensions, colour mode, metadata, JPEG tables."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from manyheads_shared.image import FORMATS

# ITU-T T.81 annex K.1, in rows: the luminance table that libjpeg scales by quality.
STANDARD_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_SUBSAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_METADATA = {"exif": "EXIF", "icc_profile": "ICC profile", "xmp": "XMP", "comment": "comment", "photoshop": "Photoshop"}


@dataclass(frozen=True)
class Container:
    """The outside of one image file."""

    format: str  # PNG, JPEG, "WEBP lossless", "WEBP lossy"
    width: int  # pixels, before EXIF orientation
    height: int
    mode: str  # Pillow's: RGB, L, RGBA …
    metadata: tuple[str, ...]  # kinds present, sorted: EXIF, ICC profile, XMP, text …
    jpeg: str | None  # "q75 4:2:0 tables 3f0a": estimated quality, chroma subsampling, digest of the tables
    jpeg_quality: int | None


def read_container(data: bytes) -> Container:
    """Read the outside of an image that `decode_image` accepts."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        name = "JPEG" if image.format == "MPO" else image.format or "?"  # a JPEG file that holds further pictures
        if name == "WEBP":
            name += " lossy" if _has_lossy_frame(data) else " lossless"
        tables: Mapping[int, Sequence[int]] = getattr(image, "quantization", {})
        quality = estimate_quality(next(iter(tables.values()))) if tables else None  # luma's, whatever its number
        jpeg = f"q{quality} {_sampling(image)} tables {_digest(tables)}" if tables else None
        return Container(name, image.width, image.height, image.mode, _metadata(image), jpeg, quality)


def scaled_luma(quality: int) -> NDArray[np.int64]:
    """Return libjpeg's luminance table, int64 (8, 8), for a quality of 1 to 100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.asarray(np.clip((STANDARD_LUMA * scale + 50) // 100, 1, 255), dtype=np.int64)


def estimate_quality(luma: Sequence[int]) -> int:
    """Return the libjpeg quality whose luminance table is nearest to `luma`, 64 steps in rows."""
    wanted = np.asarray(luma).reshape(8, 8)
    return min(range(1, 101), key=lambda quality: int(np.abs(scaled_luma(quality) - wanted).sum()))


def _sampling(image: Image.Image) -> str:
    return _SUBSAMPLING.get(JpegImagePlugin.get_sampling(image), "grey or other subsampling")


def _digest(tables: Mapping[int, Sequence[int]]) -> str:
    return hashlib.sha256(repr(sorted((key, list(table)) for key, table in tables.items())).encode()).hexdigest()[:4]


def _has_lossy_frame(data: bytes) -> bool:
    """Whether a WebP file holds a `VP8 ` chunk; walks the RIFF chunks."""
    at = 12
    while at + 8 <= len(data):
        if data[at : at + 4] == b"VP8 ":
            return True
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return False


def _metadata(image: Image.Image) -> tuple[str, ...]:
    found = {word for key, word in _METADATA.items() if image.info.get(key)}
    if getattr(image, "text", None):
        found.add("text")
    return tuple(sorted(found))
