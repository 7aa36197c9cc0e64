"""Proof that whoever enrols a key holds its private half: a DSSE envelope that the key signs over its own public half.

An enrolment answers the hub's nonce. A rotation names the key it replaces, and that key signs too; it needs no nonce, because
a key is enrolled once. Specification: docs/formats/key-proof.md.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationError
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import FormatError as VendorFormatError
from securesystemslib.exceptions import VerificationError as VendorVerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from manyheads_shared.bundle import KeyId
from manyheads_shared.canonical import from_canonical, to_canonical
from manyheads_shared.document import Document, Value, explain
from manyheads_shared.errors import ManifestError, SignatureError
from manyheads_shared.keys import parse_public_key, public_pem
from manyheads_shared.manifest import Name, Time

PAYLOAD_TYPE = "application/vnd.manyheads.key-proof+json"
MAX_PROOF_BYTES = 16 << 10


class _Signature(Value):
    keyid: str
    sig: str  # base64


class _Envelope(Value):
    """DSSE envelope with the signature of the new key, and of a rotation that of the present one."""

    payload: str  # base64
    payloadType: Literal["application/vnd.manyheads.key-proof+json"]  # noqa: N815 - the specification's spelling
    signatures: Annotated[tuple[_Signature, ...], Field(min_length=1, max_length=2)]


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
    envelope = Envelope(proof.to_bytes(), PAYLOAD_TYPE, {})
    for signer in (key, *([replaces] if replaces else [])):
        envelope.sign(signer)
    return to_canonical(envelope.to_dict())


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
    envelope = _read_envelope(data)
    # step 2
    proof = KeyProof.from_bytes(envelope.payload)
    # step 3
    _verify_signed(envelope, parse_public_key(proof.public_key), "the key it names")
    # step 4
    expected = replaces.keyid if replaces else None
    if proof.replaces != expected:
        raise SignatureError(f"key proof: expected to replace key {_short(expected)}, it replaces {_short(proof.replaces)}")
    # step 5
    if replaces is not None:
        _verify_signed(envelope, replaces, "the key it replaces")
    return proof


def _read_envelope(data: bytes) -> Envelope:
    value = from_canonical(data, name="key proof", max_bytes=MAX_PROOF_BYTES)
    try:
        _Envelope.model_validate_json(data)
        return Envelope.from_dict(value)
    except ValidationError as error:
        raise ManifestError(f"key proof: not the envelope of one: {explain(error)}") from error
    except (ValueError, VendorFormatError) as error:
        raise ManifestError(f"key proof: expected a DSSE envelope: {error}") from error


def _verify_signed(envelope: Envelope, key: SSlibKey, what: str) -> None:
    try:
        envelope.verify([key], 1)
    except (VendorVerificationError, ValueError) as error:
        raise SignatureError(
            f"key proof: expected a signature by {what} ({_short(key.keyid)}), there is none that holds"
        ) from error


def _short(key_id: str | None) -> str:
    return key_id[:12] if key_id else "none"
