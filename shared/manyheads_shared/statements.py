"""Signed statements about a head: its owner's and the hub's. DSSE envelopes around in-toto Statements v1.

The owner says "this digest, on this primary, recognises my generator". The hub says "measured on this suite, it does this".
Both name the head by digest, so neither can be moved to another file. Specification: docs/formats/statement.md.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field, ValidationError
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import FormatError as VendorFormatError
from securesystemslib.exceptions import VerificationError as VendorVerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from manyheads_shared.canonical import from_canonical, to_canonical
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from manyheads_shared.document import Value
from manyheads_shared.errors import ManifestError, SignatureError, StatementError, UnsupportedVersionError
from manyheads_shared.manifest import DigestField, Generator, Time

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
OWNER_PREDICATE = "urn:manyheads:owner:1"
HUB_PREDICATE = "urn:manyheads:evaluation:1"
MAX_STATEMENT_BYTES = 256 << 10

P = TypeVar("P", bound=Value)


class _Subject(Value):
    name: str
    digest: dict[Literal["sha256"], Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]


class OwnerPredicate(Value):
    """What the owner vouches for."""

    generator: Generator
    primary: DigestField
    created: Time


class Bound(Value):
    """A share with its counts and an interval; all in [0, 1] but the counts."""

    share: float
    lower: float
    upper: float
    hits: int
    total: int


class SourceResult(Value):
    """How often the head said yes on one source of the suite."""

    kind: Literal["real", "generated"]
    source: str
    external: bool
    yes: Bound


class HubPredicate(Value):
    """What the hub measured."""

    generator: Generator
    primary: DigestField
    suite: DigestField  # of the list of the suite's image digests
    scores: DigestField  # of the logits that calibration is computed from
    policy: DigestField  # of the gate's policy
    threshold: float  # logit at which the figures below were measured
    recall: Bound  # on the owner's proof images
    false_positives: tuple[SourceResult, ...]
    auroc: float
    contradiction: Bound | None  # of the images the detector calls real, the share this head claims
    created: Time


class _Statement(Value, Generic[P]):
    """in-toto Statement v1 with one subject and a typed predicate. (`_type` on the wire.)"""

    type_: Annotated[str, Field(alias="_type")]
    subject: tuple[_Subject]
    predicateType: str  # noqa: N815 - the specification's spelling
    predicate: P


@dataclass(frozen=True)
class SignedStatement(Generic[P]):
    """A statement whose signature was verified."""

    head: Digest
    predicate: P
    key_id: str
    digest: Digest  # of the envelope's bytes


def sign_owner_statement(head: Digest, predicate: OwnerPredicate, signer: CryptoSigner) -> bytes:
    """Return the owner's statement on a head as a DSSE envelope in canonical JSON."""
    return _sign(head, OWNER_PREDICATE, predicate.generator, predicate, signer)


def sign_hub_statement(head: Digest, predicate: HubPredicate, signer: CryptoSigner) -> bytes:
    """Return the hub's statement on a head as a DSSE envelope in canonical JSON."""
    return _sign(head, HUB_PREDICATE, predicate.generator, predicate, signer)


def verify_owner_statement(data: bytes, head: Digest, key: SSlibKey) -> SignedStatement[OwnerPredicate]:
    """Verify an owner's statement; see `_verify` for the plan and the errors."""
    return _verify(data, head, key, OWNER_PREDICATE, _Statement[OwnerPredicate])


def verify_hub_statement(data: bytes, head: Digest, key: SSlibKey) -> SignedStatement[HubPredicate]:
    """Verify a hub's statement; see `_verify` for the plan and the errors."""
    return _verify(data, head, key, HUB_PREDICATE, _Statement[HubPredicate])


def _sign(head: Digest, predicate_type: str, generator: Generator, predicate: Value, signer: CryptoSigner) -> bytes:
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": generator.title, "digest": {"sha256": hex_of(head)}}],
        "predicateType": predicate_type,
        "predicate": predicate.model_dump(mode="json"),
    }
    envelope = Envelope(to_canonical(statement), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return to_canonical(envelope.to_dict())


def _verify(data: bytes, head: Digest, key: SSlibKey, predicate_type: str, model: type[_Statement[P]]) -> SignedStatement[P]:
    """Verify a statement.

    The plan: (1) a DSSE envelope in canonical JSON; (2) signed by `key`; (3) an in-toto statement of the expected
    predicate; (4) whose predicate satisfies the format; (5) about this very head.

    Raises:
        ManifestError: steps 1 or 4 fail.
        SignatureError: step 2 fails.
        UnsupportedVersionError: step 3 fails on the predicate's version.
        StatementError: step 3 fails otherwise, or step 5.
    """
    # step 1
    envelope = _read_envelope(data)
    # step 2
    try:
        envelope.verify([key], 1)
    except (VendorVerificationError, ValueError) as error:
        signers = ", ".join(key_id[:12] for key_id in envelope.signatures) or "nobody"
        raise SignatureError(f"statement: expected a signature by key {key.keyid[:12]}, signed by {signers}") from error
    # step 3
    value = from_canonical(envelope.payload, name="statement", max_bytes=MAX_STATEMENT_BYTES)
    found = value.get("predicateType") if isinstance(value, dict) else None
    if found != predicate_type:
        if isinstance(found, str) and found.rpartition(":")[0] == predicate_type.rpartition(":")[0]:
            raise UnsupportedVersionError(f"statement: expected predicate {predicate_type}, got {found}. Update manyheads.")
        raise StatementError(f"statement: expected predicate {predicate_type}, got {str(found)[:80]!r}")
    # step 4
    try:
        statement = model.model_validate_json(envelope.payload)
    except ValidationError as error:
        raise ManifestError(f"statement: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}") from error
    # step 5
    subject = statement.subject[0].digest.get("sha256")
    if envelope.payload_type != PAYLOAD_TYPE or statement.type_ != STATEMENT_TYPE or subject != hex_of(head):
        raise StatementError(f"statement: expected one about head {head}, it is about sha256:{subject}")
    return SignedStatement(head, statement.predicate, key.keyid, digest_bytes(data))


def _read_envelope(data: bytes) -> Envelope:
    value = from_canonical(data, name="statement envelope", max_bytes=MAX_STATEMENT_BYTES)
    if not isinstance(value, Mapping) or set(value) != {"payload", "payloadType", "signatures"}:
        raise ManifestError("statement: expected a DSSE envelope with payload, payloadType and signatures")
    try:
        return Envelope.from_dict(_with_checked_base64(dict(value)))
    except (KeyError, TypeError, ValueError, AttributeError, VendorFormatError) as error:
        raise ManifestError(f"statement: expected a DSSE envelope: {error!r}") from error


def _with_checked_base64(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse loose base64, which would give one payload several spellings."""
    try:
        base64.b64decode(value["payload"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise ValueError(f"the payload is not base64: {error}") from error
    return value
