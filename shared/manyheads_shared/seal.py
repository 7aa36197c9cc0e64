"""The seal of a record file: a laboratory's signature over what the file is, so that nothing in it can change unseen.

A seal says who made the file, not that its content is right: that is for whoever verifies it. See docs/formats/seal.md.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field
from securesystemslib.signer import CryptoSigner, SSlibKey

from manyheads_shared.chain import Head
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.document import Count, Document, Ordinal, Value
from manyheads_shared.envelope import read_envelope, sign_envelope, verify_signed
from manyheads_shared.errors import SignatureError
from manyheads_shared.keys import parse_public_key, public_pem
from manyheads_shared.manifest import DigestField, Time

PAYLOAD_TYPE = "application/vnd.manyheads.seal+json"
MAX_SEAL_BYTES = 1 << 20  # 70 bytes for each instrument: a scan taken up on thousands of machines

Words = Annotated[str, Field(min_length=1, max_length=500)]


class CustodyHead(Value):
    """The newest line of a case's custody log when the seal was made: it vouches for every line before."""

    sequence: Ordinal
    digest: DigestField

    @property
    def head(self) -> Head:
        """The same, as an anchor."""
        return Head(self.sequence, self.digest)


class Seal(Document):
    """What a laboratory signs of a record file."""

    FORMAT: ClassVar[str] = "manyheads.seal/1"
    MAX_BYTES: ClassVar[int] = MAX_SEAL_BYTES

    records: DigestField  # of the file's bytes
    size_bytes: Count
    examined: Count  # images with a verdict; of every name its last record counts
    failed: Count  # files that could not be examined, counted likewise
    instruments: tuple[DigestField, ...]  # in the file's order
    laboratory: Words | None
    examiner: Words | None
    case: Words | None
    custody: CustodyHead | None  # None: no case folder, no log
    public_key: str  # PEM, of the key that signs
    created: Time  # by the laboratory's clock


@dataclass(frozen=True)
class SignedSeal:
    """A seal whose signature was verified."""

    seal: Seal
    key_id: str
    digest: Digest  # of the envelope's bytes


def sign_seal(seal: Seal, key: CryptoSigner) -> bytes:
    """Return a seal in its envelope.

    Raises:
        ValueError: the seal names another key.
    """
    if seal.public_key != public_pem(key.public_key):
        raise ValueError("a seal is signed by the key that it names")
    return sign_envelope(seal.to_bytes(), PAYLOAD_TYPE, key)


def verify_seal(data: bytes, key: SSlibKey | None = None) -> SignedSeal:
    """Verify a seal's signature.

    The plan: (1) an envelope of this type with one signature; (2) whose payload is a seal; (3) signed by the key that it names;
    (4) which is the one expected.

    Args:
        key: of the laboratory; None: whoever signed, which then says nothing of who that is.

    Raises:
        ManifestError, UnsupportedVersionError: step 1 or 2 fails.
        SignatureError: step 3 or 4 fails.
    """
    # step 1
    envelope = read_envelope(data, PAYLOAD_TYPE, name="seal", max_bytes=2 * MAX_SEAL_BYTES)
    # step 2
    seal = Seal.from_bytes(envelope.payload)
    # step 3
    named = parse_public_key(seal.public_key)
    verify_signed(envelope, named, name="seal", by="the key it names")
    # step 4
    if key is not None and key.keyid != named.keyid:
        raise SignatureError(
            f"seal: expected a signature by the key given ({key.keyid[:12]}), it is signed by {named.keyid[:12]}"
        )
    return SignedSeal(seal, named.keyid, digest_bytes(data))
