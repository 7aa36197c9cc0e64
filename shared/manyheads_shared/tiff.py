"""Numbers and short texts out of a TIFF structure, which holds EXIF data or the index of an MPO file. Inputs are hostile.

Read by ourselves because a library reads everything the structure claims to hold: this reads each directory once.
"""

import struct
from collections.abc import Iterator

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY_BYTES = 12
_NUMBERS = {3: "H", 4: "I"}  # TIFF 6.0: SHORT and LONG
_ASCII = 2
_VALUES = {1: "B", **_NUMBERS, 5: "II", 9: "i", 10: "ii"}  # BYTE, RATIONAL, SLONG, SRATIONAL
_MOST_VALUES = 16  # of one tag that are still short
_MOST_BYTES = 1024  # likewise, of a text
_BELOW = {0x8769: "Exif", 0x8825: "GPS"}  # directories that the first one names


def find_number(tiff: bytes, tag: int) -> int | None:
    """Return the number under `tag` in the first directory; None where there is none, or it is no whole number.

    Raises:
        ValueError: it is no TIFF structure, or it ends before its directory does.
    """
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        raise ValueError("expected a TIFF structure, got something else")
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for at in range(start + 2, start + 2 + count * _ENTRY_BYTES, _ENTRY_BYTES):
            found, kind, values = struct.unpack_from(order + "HHI", tiff, at)
            if found == tag and kind in _NUMBERS and values == 1:
                return int(struct.unpack_from(order + _NUMBERS[kind], tiff, at + 8)[0])
    except struct.error as error:
        raise ValueError("the TIFF structure is cut off") from error
    return None


def read_texts(tiff: bytes, *, most: int) -> Iterator[tuple[str, int, str]]:
    """Go through the tags of the first directory and of those for EXIF and GPS that it names, in the order of the file.

    Yields:
        The directory ("", "Exif" or "GPS"), the tag, and its value: text, or numbers with a space between; what is long is
        passed over. At most `most`, and nothing beyond what is damaged.
    """
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return
    directories = [("", int(struct.unpack_from(order + "I", tiff, 4)[0]))]
    found = 0
    for name, start in directories:  # grows by at most two
        try:
            (count,) = struct.unpack_from(order + "H", tiff, start)
            for at in range(start + 2, start + 2 + min(count, most) * _ENTRY_BYTES, _ENTRY_BYTES):
                tag, kind, values = struct.unpack_from(order + "HHI", tiff, at)
                if not name and tag in _BELOW and len(directories) <= len(_BELOW):
                    directories.append((_BELOW[tag], int(struct.unpack_from(order + "I", tiff, at + 8)[0])))
                elif found < most and (text := _in_words(tiff, order, kind, values, at + 8)):
                    found += 1
                    yield name, tag, text
        except struct.error:
            continue


def _in_words(tiff: bytes, order: str, kind: int, values: int, at: int) -> str:
    """A tag's value in words; nothing of what is long or of another kind."""
    size = values if kind == _ASCII else values * struct.calcsize("<" + _VALUES.get(kind, ""))
    if not 0 < size <= _MOST_BYTES or (kind != _ASCII and values > _MOST_VALUES):
        return ""
    if size > 4:  # otherwise it stands in the entry itself
        (at,) = struct.unpack_from(order + "I", tiff, at)
    if kind == _ASCII:
        return tiff[at : at + size].split(b"\0")[0].decode("utf-8", errors="backslashreplace").strip()
    numbers = struct.unpack_from(order + _VALUES[kind] * values, tiff, at)
    if len(_VALUES[kind]) == 1:
        return " ".join(map(str, numbers))
    return " ".join(f"{above}/{below}" for above, below in zip(numbers[::2], numbers[1::2], strict=True))
