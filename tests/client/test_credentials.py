"""Content credentials, signed for the test: read offline, never trusted, and never a reason to stop."""

import io
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import c2pa
import numpy as np
import pytest

from manyheads_client import Attribution, Bundle, attribute, credentials
from manyheads_client.credentials import CredentialsReader
from manyheads_shared.evidence import Credentials
from manyheads_shared.image import Pixels
from tests.support.credentials import MAKER, sign
from tests.support.image_files import encode

FORMATS = ("PNG", "JPEG", "WEBP")


@pytest.fixture(scope="module")
def reader() -> Iterator[CredentialsReader]:
    with CredentialsReader() as reader:
        yield reader


@pytest.fixture(scope="module")
def picture() -> Pixels:
    return np.random.default_rng(1).integers(0, 255, (48, 48, 3), dtype=np.uint8)


def make(picture: Pixels, file_format: str = "PNG", **options: str) -> bytes:
    return sign(encode(picture, file_format), f"image/{file_format.lower()}", **options)


def spoil(data: bytes, mark: bytes, count: int = 1) -> bytes:
    """Change bytes right after a mark."""
    at = data.index(mark) + len(mark)
    return data[:at] + bytes(byte ^ 1 for byte in data[at : at + count]) + data[at + count :]


def read(reader: CredentialsReader, data: bytes, file_format: str = "PNG") -> Credentials:
    found, note = reader.read(data, file_format)
    assert note == ""
    assert found is not None
    return found


@pytest.mark.parametrize("file_format", FORMATS)
def test_sound_credentials_are_valid_and_their_signer_is_not_trusted(
    reader: CredentialsReader, picture: Pixels, file_format: str
) -> None:
    found = read(reader, make(picture, file_format), file_format)
    assert (found.valid, found.trusted) == (True, False)
    assert (found.made_with, found.signer) == (f"{MAKER} 1.0", "Test Camera, manyheads tests")
    assert (found.sources, found.generated) == (("digitalCapture",), False)
    assert found.findings == ("signingCredential.untrusted",)
    assert found.reader.startswith("c2pa-python ")
    assert found.manifest.startswith("urn:c2pa:")


@pytest.mark.parametrize("source", ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"])
def test_credentials_may_say_that_an_algorithm_made_it(reader: CredentialsReader, picture: Pixels, source: str) -> None:
    found = read(reader, make(picture, source=source))
    assert (found.sources, found.generated) == ((source,), True)


def test_changed_pixels_and_changed_claims_are_found(reader: CredentialsReader, picture: Pixels) -> None:
    sound = make(picture)
    pixels, claim = (
        read(reader, spoil(sound, b"IDAT" + sound.partition(b"IDAT")[2][:99])),
        read(reader, spoil(sound, b"manyheads ")),
    )
    assert (pixels.valid, claim.valid) == (False, False)
    assert "assertion.dataHash.mismatch" in pixels.findings
    assert "claimSignature.mismatch" in claim.findings


def test_a_damaged_box_is_a_note(reader: CredentialsReader, picture: Pixels) -> None:
    found, note = reader.read(spoil(make(picture), b"jumb", 300), "PNG")
    assert found is None
    assert note.startswith("the PNG file carries content credentials (C2PA), which were not read: ")


def test_a_file_without_them_says_nothing_whatever_words_it_holds(reader: CredentialsReader, picture: Pixels) -> None:
    assert reader.read(encode(picture), "PNG") == (None, "")
    assert reader.read(encode(picture) + b"jumb c2pa", "PNG") == (None, "")


def test_nothing_is_fetched(reader: CredentialsReader, picture: Pixels) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        asked: list[bytes] = []

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        data = make(picture, remote=f"http://127.0.0.1:{server.getsockname()[1]}/manifest")
        _, note = reader.read(data, "PNG")
        assert note == "the PNG file points to content credentials (C2PA) elsewhere, which were not fetched"
        _, note = reader.read(data + b"jumb c2pa", "PNG")
        assert "were not read: Remote: must fetch remote manifests" in note
        assert asked == []
        with pytest.raises(c2pa.C2paError):  # what it would do if it were let
            c2pa.Reader("image/png", io.BytesIO(data))
        thread.join()
        assert asked[0].startswith(b"GET /manifest")


def test_many_threads_read_at_once(reader: CredentialsReader, picture: Pixels) -> None:
    files = [make(picture, source=source) for source in ("digitalCapture", "trainedAlgorithmicMedia")] * 8
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda data: read(reader, data), files))
    assert [each.generated for each in found] == [False, True] * 8


def test_what_takes_too_long_is_given_up(picture: Pixels) -> None:
    with CredentialsReader(seconds=0.0) as hasty:
        found, note = hasty.read(make(picture), "PNG")
    assert found is None
    assert "their reader stopped" in note


def test_a_reader_that_crashes_is_replaced(picture: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing = tmp_path / "crash.py"
    crashing.write_text("import os\nos.abort()\n")
    with CredentialsReader() as reader:
        with monkeypatch.context() as patch:
            patch.setattr(credentials, "_SCRIPT", crashing)
            assert "their reader stopped" in reader.read(make(picture), "PNG")[1]
        assert read(reader, make(picture)).valid


@pytest.mark.parametrize(
    "answer", [b"{}", b"3", b'{"report": {}}', b'{"report": {"manifests": [], "active_manifest": 3}}', b"no"]
)
def test_no_answer_of_the_library_is_an_exception(
    picture: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    script = tmp_path / "odd.py"
    script.write_text(
        "import sys\n"
        "sys.stdin.buffer.read(int(sys.stdin.buffer.readline().split()[1]))\n"
        f"sys.stdout.buffer.write({answer!r} + b'\\n')\n"
    )
    monkeypatch.setattr(credentials, "_SCRIPT", script)
    with CredentialsReader() as reader:
        found, note = reader.read(make(picture), "PNG")
    assert found is None
    assert (note == "") == (answer == b"{}")


def test_without_the_library_a_note_says_that_there_are_some(picture: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make(picture, "JPEG")
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with CredentialsReader() as reader:
        found, note = reader.read(data, "JPEG")
    assert found is None
    assert note == (
        "the JPEG file carries content credentials (C2PA), which were not read: the extra `credentials` is not installed"
    )


def test_a_reader_that_was_given_serves_one_run_after_another(bundle: Bundle, images: list[Pixels]) -> None:
    signed = sign(encode(images[0]), "image/png", source="trainedAlgorithmicMedia")
    with CredentialsReader() as reader:
        runs = [list(attribute([signed], bundle, device="cpu", credentials_of=reader)) for _ in range(2)]
    for (result,) in runs:
        assert isinstance(result, Attribution)
        assert result.record.item.credentials is not None


def test_credentials_are_in_the_record_and_change_no_verdict(bundle: Bundle, images: list[Pixels], tmp_path: Path) -> None:
    plain, signed = encode(images[0]), sign(encode(images[0]), "image/png", source="trainedAlgorithmicMedia")
    first, second = attribute([plain, signed], bundle, device="cpu")
    assert isinstance(first, Attribution)
    assert isinstance(second, Attribution)
    assert first.record.item.credentials is None
    assert second.record.item.credentials is not None
    assert second.record.item.credentials.generated
    assert (first.state, first.record.detector, first.record.heads) == (
        second.state,
        second.record.detector,
        second.record.heads,
    )
