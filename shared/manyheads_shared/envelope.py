"""Signed envelopes: DSSE in canonical JSON with one spelling, so that an envelope too has one digest.

What a payload is and whose signature it needs is for the formats: statements, proofs of keys, seals.
"""

from typing import Annotated

from pydantic import Field, ValidationError
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import FormatError as VendorFormatError
from securesystemslib.exceptions import VerificationError as VendorVerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from manyheads_shared.canonical import from_canonical, to_canonical
from manyheads_shared.document import Value, explain
from manyheads_shared.errors import ManifestError, SignatureError


class _Signature(Value):
    keyid: str
    sig: str  # base64


class _Envelope(Value):
    payload: str  # base64
    payloadType: str  # noqa: N815 - the specification's spelling
    signatures: Annotated[tuple[_Signature, ...], Field(min_length=1)]


def sign_envelope(payload: bytes, payload_type: str, *signers: CryptoSigner) -> bytes:
    """Return a payload in an envelope in canonical JSON, signed by each signer."""
    envelope = Envelope(payload, payload_type, {})
    for signer in signers:
        envelope.sign(signer)
    return to_canonical(envelope.to_dict())


def read_envelope(data: bytes, payload_type: str, *, name: str, max_bytes: int, most: int = 1) -> Envelope:
    """Read an envelope; no signature is verified.

    Args:
        name: what it is, for messages.
        most: signatures that it may have.

    Raises:
        ManifestError: too large, not canonical, no DSSE envelope, of another type, or with too many signatures.
    """
    value = from_canonical(data, name=f"{name} envelope", max_bytes=max_bytes)
    try:
        read = _Envelope.model_validate_json(data)
        envelope = Envelope.from_dict(value)
        canonical = to_canonical(envelope.to_dict())
    except ValidationError as error:
        raise ManifestError(f"{name}: not the envelope of a {name}: {explain(error)}") from error
    except (ValueError, VendorFormatError) as error:
        raise ManifestError(f"{name}: expected a DSSE envelope: {error}") from error
    if read.payloadType != payload_type:
        raise ManifestError(f"{name}: expected payloadType {payload_type}, got {read.payloadType[:80]!r}")
    if len(read.signatures) > most:
        raise ManifestError(f"{name}: expected signatures: at most {most}, got {len(read.signatures)}")
    if canonical != data:  # loose base64 would give one envelope several spellings
        raise ManifestError(f"{name}: expected plain base64 with padding, got another spelling of it")
    return envelope


def verify_signed(envelope: Envelope, key: SSlibKey, *, name: str, by: str) -> None:
    """Verify that a key signed an envelope.

    Args:
        by: whose key it is, for the message.

    Raises:
        SignatureError: it did not.
    """
    try:
        envelope.verify([key], 1)
    except (VendorVerificationError, ValueError) as error:
        signers = ", ".join(key_id[:12] for key_id in envelope.signatures) or "nobody"
        raise SignatureError(
            f"{name}: expected a signature by {by} ({key.keyid[:12]}), there is none that holds; signed by {signers}"
        ) from error
