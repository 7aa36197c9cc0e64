import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads_shared.digest import (
    Digest,
    digest_bytes,
    digest_file,
    digest_stream,
    hex_of,
    parse_digest,
    short,
    verify_digest,
)
from manyheads_shared.errors import DigestMismatchError, ManifestError

EMPTY = Digest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


def test_a_digest_is_sha256_and_says_so() -> None:
    assert digest_bytes(b"") == EMPTY
    assert hex_of(digest_bytes(b"abc")) == hashlib.sha256(b"abc").hexdigest()


@given(st.binary(max_size=200), st.integers(0, 200))
def test_bytes_streams_and_files_have_one_digest(data: bytes, skip: int) -> None:
    stream = io.BytesIO(data)
    stream.read(skip)

    assert digest_stream(stream) == digest_bytes(data[skip:])


def test_a_file_larger_than_a_chunk_is_digested_whole(tmp_path: Path) -> None:
    data = bytes(3_000_000)
    (tmp_path / "large").write_bytes(data)

    assert digest_file(tmp_path / "large") == digest_bytes(data)


def test_a_digest_parses_as_itself_and_shortens_for_people() -> None:
    assert parse_digest(EMPTY) == EMPTY
    assert short(EMPTY) == "sha256:e3b0c442…"


@pytest.mark.parametrize(
    "text", ["", EMPTY.upper(), EMPTY[:-1], EMPTY + "0", EMPTY + "\n", "sha512:" + EMPTY[7:], hex_of(EMPTY)]
)
def test_anything_else_is_no_digest(text: str) -> None:
    with pytest.raises(ManifestError, match="64 hexadecimal digits"):
        parse_digest(text)


def test_bytes_that_are_not_those_named_are_refused() -> None:
    verify_digest("nothing", b"", EMPTY)
    with pytest.raises(DigestMismatchError, match="head x: expected sha256:e3b0") as caught:
        verify_digest("head x", b"something", EMPTY)

    assert caught.value.actual == digest_bytes(b"something")
