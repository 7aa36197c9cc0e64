"""Content credentials (C2PA): what a file says of its own origin, a separate finding that no score and no verdict knows of.

Told apart so far: whether a file carries any. They are not read yet.
"""

from manyheads_shared.evidence import Credentials

_MARKS = (b"jumb", b"c2pa")  # of the box that holds them: JUMBF, ISO 19566-5


def read_credentials(data: bytes, file_format: str) -> tuple[Credentials | None, str]:
    """Read what a file carries.

    Returns:
        The finding, or None; and a note where there is one that was not read.
    """
    if all(mark in data for mark in _MARKS):
        return None, f"the {file_format} file seems to carry content credentials (C2PA), which were not read"
    return None, ""
