"""What a file is, beside its picture: digests, format, EXIF data, quantisation tables. Facts for a record; nothing is judged.

A picture's digest names what was examined whatever file it came in: two files with the same pixels have the same.
"""

import hashlib

from PIL import ExifTags

from manyheads_client.credentials import CredentialsReader
from manyheads_client.words import printable
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.evidence import ItemExamined
from manyheads_shared.image import DecodedImage, Pixels
from manyheads_shared.manifest import Preprocessing
from manyheads_shared.preprocess import is_resampled
from manyheads_shared.tiff import read_texts

MAX_EXIF_TAGS = 64
MAX_EXIF_TEXT = 200  # characters of one value
_DIRECTORIES = {"": ExifTags.TAGS, "Exif": ExifTags.TAGS, "GPS": ExifTags.GPSTAGS}


def describe_file(
    name: str, data: bytes, decoded: DecodedImage, spec: Preprocessing, credentials_of: CredentialsReader | None
) -> ItemExamined:
    """Describe a file that decoded.

    Args:
        name: as it was given.
        data: its bytes.
        decoded: what `decode_image` made of them.
        spec: of the primary; it says whether the picture is interpolated on its way to the network.
        credentials_of: reads its content credentials; None: they are left out, and what would be noted of them.
    """
    credentials, note = credentials_of.read(data, decoded.file_format) if credentials_of else (None, "")
    described = _describe(name, data, decoded, spec)
    notes = (*decoded.notes, note) if note else decoded.notes
    return described.model_copy(update={"credentials": credentials, "notes": notes})


def describe_pixels(name: str, decoded: DecodedImage, spec: Preprocessing) -> ItemExamined:
    """Describe a picture that was given as pixels: its digests are those of its pixels."""
    return _describe(name, decoded.pixels.tobytes(), decoded, spec)


def digest_pixels(pixels: Pixels) -> Digest:
    """The digest of a picture: of `RGB WIDTH HEIGHT`, a line feed, and its bytes, row by row.

    Args:
        pixels: uint8 (H, W, 3), RGB, upright.
    """
    height, width = pixels.shape[:2]
    return digest_bytes(f"RGB {width} {height}\n".encode() + pixels.tobytes())


def _describe(name: str, data: bytes, decoded: DecodedImage, spec: Preprocessing) -> ItemExamined:
    height, width = decoded.pixels.shape[:2]
    return ItemExamined(
        name=name,
        sha256=digest_bytes(data),
        sha512=hashlib.sha512(data).hexdigest(),
        pixels=digest_pixels(decoded.pixels),
        size_bytes=len(data),
        file_format=decoded.file_format,
        width=width,
        height=height,
        mode=decoded.mode,
        resampled=is_resampled(width, height, spec),
        exif=_name_tags(decoded.exif),
        quantisation=decoded.quantisation,
        credentials=None,
        notes=decoded.notes,
    )


def _name_tags(exif: bytes) -> dict[str, str]:
    """Tags by name, those whose value is short text or numbers."""
    found: dict[str, str] = {}
    for directory, tag, value in read_texts(exif, most=MAX_EXIF_TAGS):
        text = printable(value)
        if len(text) <= MAX_EXIF_TEXT:
            found[_DIRECTORIES[directory].get(tag, f"tag {tag:#06x}")] = text
    return found
