"""Digests: the names of things. `sha256:` and 64 lower-case hexadecimal digits; nothing else is a digest."""

import hashlib
import re
from pathlib import Path
from typing import BinaryIO, NewType

from manyheads_shared.errors import DigestMismatchError, ManifestError

Digest = NewType("Digest", str)

DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"
_CHUNK_BYTES = 1 << 20


def digest_bytes(data: bytes) -> Digest:
    """Return the digest of `data`."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def digest_stream(stream: BinaryIO) -> Digest:
    """Return the digest of what is left in `stream`, read in chunks."""
    state = hashlib.sha256()
    while chunk := stream.read(_CHUNK_BYTES):
        state.update(chunk)
    return Digest("sha256:" + state.hexdigest())


def digest_file(path: Path) -> Digest:
    """Return the digest of a file's content."""
    with path.open("rb") as stream:
        return digest_stream(stream)


def parse_digest(text: str) -> Digest:
    """Return `text` as a digest.

    Raises:
        ManifestError: it is not `sha256:` and 64 lower-case hexadecimal digits.
    """
    if not re.fullmatch(DIGEST_PATTERN, text):
        raise ManifestError(f"expected a digest like sha256:3b1f… (64 hexadecimal digits), got {text[:80]!r}")
    return Digest(text)


def hex_of(digest: Digest) -> str:
    """Return the 64 hexadecimal digits, without the algorithm: file names and in-toto subjects use this form."""
    return digest.removeprefix("sha256:")


def short(digest: str) -> str:
    """Return a form for people: `sha256:3b1f9c04…`. Never used to compare."""
    return digest[:15] + "…"


def verify_digest(name: str, data: bytes, expected: Digest) -> None:
    """Check that `data` has the digest it is named by.

    Raises:
        DigestMismatchError: it does not.
    """
    actual = digest_bytes(data)
    if actual != expected:
        raise DigestMismatchError(name, expected, actual)
