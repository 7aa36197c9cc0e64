"""One number out of a TIFF structure, in which EXIF data and the index of an MPO file are kept. Inputs are hostile.

Read by ourselves because a library reads everything the structure claims to hold: this reads one directory, once.
"""

import struct

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY_BYTES = 12
_NUMBERS = {3: "H", 4: "I"}  # TIFF 6.0: SHORT and LONG


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
