"""Proof that whoever enrols a key holds its private half: a DSSE envelope that the key signs over its own public half.

An enrolment answers the hub's nonce. A rotation names the key it replaces, and that key signs too; it needs no nonce, because
a key is enrolled once. Specification: docs/formats/key-proof.md.
"""

from typing import ClassVar

from securesystemslib.signer import CryptoSigner, SSlibKey

from manyheads_shared.bundle import KeyId
from manyheads_shared.document import Document
from manyheads_shared.envelope import read_envelope, sign_envelope, verify_signed
from manyheads_shared.errors import SignatureError
from manyheads_shared.keys import parse_public_key, public_pem
from manyheads_shared.manifest import Name, Time

PAYLOAD_TYPE = "application/vnd.manyheads.key-proof+json"
MAX_PROOF_BYTES = 16 << 10


class KeyProof(Document):
    """What a key says of itself."""

    FORMAT: ClassVar[str] = "manyheads.key-proof/1"

    hub: Name
    owner: Name
    public_key: str  # PEM
    replaces: KeyId | None  # a rotation's: the key that signs beside the new one
    nonce: str | None  # an enrolment's: what the hub asked to have signed
    created: Time


def sign_key_proof(
    *, hub: str, owner: str, key: CryptoSigner, replaces: CryptoSigner | None = None, nonce: str | None = None, created: str
) -> bytes:
    """Return the proof for a key as a DSSE envelope in canonical JSON, signed by it and by the key it replaces."""
    proof = KeyProof.new(
        hub=hub,
        owner=owner,
        public_key=public_pem(key.public_key),
        replaces=replaces.public_key.keyid if replaces else None,
        nonce=nonce,
        created=created,
    )
    return sign_envelope(proof.to_bytes(), PAYLOAD_TYPE, key, *([replaces] if replaces else []))


def verify_key_proof(data: bytes, *, replaces: SSlibKey | None = None) -> KeyProof:
    """Verify a proof of possession.

    The plan: (1) a DSSE envelope of this type in canonical JSON; (2) whose payload is a proof; (3) signed by the key that it
    names; (4) naming the key it replaces, or none, as the caller expects; (5) signed by that key too.

    Args:
        replaces: of a rotation: the key that is to be replaced.

    Raises:
        ManifestError, UnsupportedVersionError: steps 1 or 2 fail.
        SignatureError: a later step fails.
    """
    # step 1
    envelope = read_envelope(data, PAYLOAD_TYPE, name="key proof", max_bytes=MAX_PROOF_BYTES, most=2)
    # step 2
    proof = KeyProof.from_bytes(envelope.payload)
    # step 3
    verify_signed(envelope, parse_public_key(proof.public_key), name="key proof", by="the key it names")
    # step 4
    expected = replaces.keyid if replaces else None
    if proof.replaces != expected:
        raise SignatureError(f"key proof: expected to replace key {_short(expected)}, it replaces {_short(proof.replaces)}")
    # step 5
    if replaces is not None:
        verify_signed(envelope, replaces, name="key proof", by="the key it replaces")
    return proof


def _short(key_id: str | None) -> str:
    return key_id[:12] if key_id else "none"
