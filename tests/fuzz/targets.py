"""What is fuzzed: every reader of bytes from outside, as a function that raises where the reader breaks its promise.

The promise: an error of our own tree, or a value that holds what it says. Where a checksum, a signature or one canonical form
would stop every mutation at the door, a second candidate has it put right, so that what lies behind is reached too.
"""

import json
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata

from manyheads_client.custody import CustodyEntry
from manyheads_client.records import RecordFile, read_latest
from manyheads_client.report_verification import Means, verify_report
from manyheads_client.store import HeldMetadata
from manyheads_client.trust import read_root, verify_chain
from manyheads_shared import image
from manyheads_shared.artifact import PrimaryArtifact, read_head, read_head_manifest, read_primary
from manyheads_shared.bundle import read_manifest
from manyheads_shared.calibration import read_calibration
from manyheads_shared.canonical import to_canonical
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.document import Document
from manyheads_shared.errors import FormatError, ImageError, ManyheadsError
from manyheads_shared.evidence import EvidenceRecord, FailureRecord, read_instrument
from manyheads_shared.federation.record import PAYLOAD_TYPE as FEDERATION_TYPE
from manyheads_shared.federation.record import Measurement, Opening, Outcome, Round, read_record
from manyheads_shared.image import MIN_SIDE, count_pixels, decode_image
from manyheads_shared.key_proof import PAYLOAD_TYPE as KEY_PROOF_TYPE
from manyheads_shared.key_proof import verify_key_proof
from manyheads_shared.keys import parse_public_key
from manyheads_shared.manifest import HeadManifest, PrimaryManifest
from manyheads_shared.recall import Recall
from manyheads_shared.retention import PAYLOAD_TYPE as RETENTION_TYPE
from manyheads_shared.retention import RetentionReport, verify_retention
from manyheads_shared.seal import PAYLOAD_TYPE as SEAL_TYPE
from manyheads_shared.seal import Seal, verify_seal
from manyheads_shared.statements import PAYLOAD_TYPE, verify_answer, verify_hub_statement, verify_owner_statement
from tests.support.image_files import mend_png

EXPLORED_PIXELS = 1 << 20  # while fuzzing: decoding a hundred times as many is no other code, only slower
LONGEST_LINE = 300  # characters of a refusal of an image
SIGNER = CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)))  # whose signature puts right what was mutated
GOLDEN = Path(__file__).parent.parent / "golden" / "v1"
GOLDEN_PRIMARY, GOLDEN_HEAD = GOLDEN / "primary.safetensors", GOLDEN / "head.safetensors"
NO_DIGEST = Digest("sha256:" + "0" * 64)
_HEADER_LENGTH = 8  # bytes, of safetensors

Documents: tuple[Callable[[bytes], Document], ...] = (
    *(kind.from_bytes for kind in (PrimaryManifest, HeadManifest, EvidenceRecord, FailureRecord, Recall)),
    *(kind.from_bytes for kind in (Seal, CustodyEntry, RetentionReport, Opening, Round, Measurement, Outcome)),
    read_calibration,
    read_manifest,
    read_instrument,
)


@dataclass(frozen=True)
class Target:
    """A reader under test."""

    check: Callable[[bytes], None]  # raises on a defect
    max_bytes: int  # of an input


def check_image(data: bytes) -> None:
    """An image is decoded, or refused in one clear line."""
    image.MAX_PIXELS = EXPLORED_PIXELS
    for candidate in (data, mend_png(data)):
        try:
            pixels = decode_image(candidate).pixels
        except ImageError as error:
            check_line(str(error))
        else:
            assert pixels.dtype == np.uint8, "not 8 bits"
            assert pixels.shape[2:] == (3,), "not RGB"
            assert min(pixels.shape[:2]) >= MIN_SIDE, "smaller than allowed"
            assert count_pixels(candidate) == pixels.shape[0] * pixels.shape[1], "another size than announced"


def check_line(message: str) -> None:
    """A refusal is one short line that names no address and no path."""
    assert message.isprintable(), f"not one printable line: {message!r}"
    assert len(message) <= LONGEST_LINE, f"{len(message)} characters: {message}"
    assert not re.search(r" at 0x[0-9a-f]+|/home/|/usr/|/tmp/", message), message


def check_artifact(data: bytes) -> None:
    """A head or primary is read whole and finite, or refused; also with `data` for its header."""
    for candidate in (data, len(data).to_bytes(_HEADER_LENGTH, "little") + data + split_artifact(GOLDEN_HEAD.read_bytes())[1]):
        with suppress(ManyheadsError):
            read_head_manifest(candidate)
        with suppress(ManyheadsError):
            read_primary(candidate)
        with suppress(ManyheadsError):
            head = read_head(candidate, _primary())
            assert all(np.isfinite(tensor).all() for tensor in head.tensors.values()), "not finite"


def check_document(data: bytes) -> None:
    """A document is read and has these very bytes for its form, or is refused."""
    for candidate in (data, _canonical(data)):
        for read in Documents:
            with suppress(FormatError):
                assert read(candidate).to_bytes() == candidate, "another canonical form than it was read from"


def check_statement(data: bytes) -> None:
    """A statement, key proof or seal holds, or is refused; also with `data` for what was signed, and for a public key."""
    for candidate in (data, _sealed(_canonical(data), PAYLOAD_TYPE)):
        for verify in (verify_owner_statement, verify_hub_statement, verify_answer):
            with suppress(ManyheadsError):
                verify(candidate, NO_DIGEST, SIGNER.public_key)
    for candidate in (data, _sealed(_canonical(data), KEY_PROOF_TYPE)):
        with suppress(ManyheadsError):
            verify_key_proof(candidate)
    for candidate in (data, _sealed(_canonical(data), SEAL_TYPE)):
        with suppress(ManyheadsError):
            verify_seal(candidate)
    for candidate in (data, _sealed(_canonical(data), RETENTION_TYPE)):
        with suppress(ManyheadsError):
            verify_retention(candidate, SIGNER.public_key)
    for candidate in (data, _sealed(_canonical(data), FEDERATION_TYPE)):
        with suppress(ManyheadsError):
            read_record([candidate])
    with suppress(ManyheadsError):
        parse_public_key(data.decode("utf-8", errors="surrogateescape"))


def check_metadata(data: bytes) -> None:
    """A chain of TUF metadata, a file a line (roots, timestamp, snapshot, targets), is verified or refused."""
    lines = data.split(b"\n")
    for files in (lines, [_signed(line) for line in lines]):
        with suppress(ManyheadsError):
            read_root(files[0])
        if len(files) < 4:
            continue
        kept = {digest_bytes(file): file for file in files}
        *roots, timestamp, snapshot, targets = kept_names = [digest_bytes(file) for file in files]
        assert len(kept_names) == len(files)
        held = HeldMetadata(roots=tuple(roots), timestamp=timestamp, snapshot=snapshot, targets=targets)
        with suppress(ManyheadsError):
            verify_chain(files[0], held, kept.__getitem__)


def check_records(data: bytes) -> None:
    """A record file is read, verified and taken up, or refused."""
    with tempfile.TemporaryDirectory(prefix="manyheads-fuzz-") as folder:
        path = Path(folder, "records.jsonl")
        path.write_bytes(data)
        with suppress(ManyheadsError):
            list(read_latest(path))
        with suppress(ManyheadsError):
            verify_report(path, Means())
        with suppress(ManyheadsError), RecordFile(path, NO_DIGEST):
            pass


TARGETS = {
    "image": Target(check_image, 1 << 14),
    "artifact": Target(check_artifact, 1 << 17),
    "document": Target(check_document, 1 << 14),
    "statement": Target(check_statement, 1 << 13),
    "metadata": Target(check_metadata, 1 << 14),
    "records": Target(check_records, 1 << 13),
}
CANARY = "canary"


def check_canary(data: bytes) -> None:
    """A promise that is broken on purpose: whoever changes how we fuzz sees whether anything would still be found."""
    if data[:1] == b"b" and data[1:2] == b"u" and data[2:3] == b"g":
        raise RecursionError("found")


def get_target(name: str) -> Target:
    """A target by its name, or the canary."""
    return Target(check_canary, 16) if name == CANARY else TARGETS[name]


@cache
def _primary() -> PrimaryArtifact:
    return read_primary(GOLDEN_PRIMARY.read_bytes())


def split_artifact(data: bytes) -> tuple[bytes, bytes]:
    """The header of a safetensors file, without its length, and what follows it."""
    start = _HEADER_LENGTH + int.from_bytes(data[:_HEADER_LENGTH], "little")
    return data[_HEADER_LENGTH:start], data[start:]


def _canonical(data: bytes) -> bytes:
    try:
        return to_canonical(json.loads(data))
    except (ValueError, RecursionError):
        return data


def _sealed(payload: bytes, payload_type: str) -> bytes:
    envelope = Envelope(payload, payload_type, {})
    envelope.sign(SIGNER)
    return to_canonical(envelope.to_dict())


def _signed(data: bytes) -> bytes:
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(data)
        metadata.sign(SIGNER)
        return metadata.to_bytes()
    except (RepositoryError, ValueError, RecursionError):
        return data
