"""Signed statements about a head: its owner's and the hub's. DSSE envelopes around in-toto Statements v1.

The owner says "this digest, on this primary, recognises my generator". The hub says "measured on this suite, it does this".
Challenged, the owner says "these images I made with the seeds of this nonce". All name the head by digest, so none can be moved
to another file. Specification: docs/formats/statement.md.
"""

from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field, ValidationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from manyheads_shared.canonical import from_canonical, to_canonical
from manyheads_shared.challenge import NONCE_PATTERN
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from manyheads_shared.document import Count, Fraction, Value, explain
from manyheads_shared.envelope import read_envelope, sign_envelope, verify_signed
from manyheads_shared.errors import ManifestError, StatementError, UnsupportedVersionError
from manyheads_shared.manifest import DigestField, Generator, Time

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
OWNER_PREDICATE = "urn:manyheads:owner:1"
HUB_PREDICATE = "urn:manyheads:evaluation:1"
ANSWER_PREDICATE = "urn:manyheads:answer:1"
MAX_STATEMENT_BYTES = 4 << 20  # 230 bytes for each source of the suite: 10,000 generators are 2.3 MB

P = TypeVar("P", bound=Value)


class _Subject(Value):
    name: str
    digest: dict[Literal["sha256"], Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]


class OwnerPredicate(Value):
    """What the owner vouches for."""

    generator: Generator
    primary: DigestField
    created: Time


class AnswerPredicate(Value):
    """What the owner vouches for in answer to a challenge."""

    generator: Generator
    submission: str
    nonce: Annotated[str, Field(pattern=NONCE_PATTERN)]
    images: tuple[DigestField, ...]  # the i-th was made with the i-th seed of the nonce (manyheads_shared.challenge)
    created: Time


class Bound(Value):
    """A share with its counts and an interval."""

    share: Fraction
    lower: Fraction
    upper: Fraction
    hits: Count
    total: Count


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
    auroc: Fraction
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


def sign_answer(head: Digest, predicate: AnswerPredicate, signer: CryptoSigner) -> bytes:
    """Return the owner's answer to a challenge of a head as a DSSE envelope in canonical JSON."""
    return _sign(head, ANSWER_PREDICATE, predicate.generator, predicate, signer)


def verify_owner_statement(data: bytes, head: Digest, key: SSlibKey) -> SignedStatement[OwnerPredicate]:
    """Verify an owner's statement; see `_verify` for the plan and the errors."""
    return _verify(data, head, key, OWNER_PREDICATE, _Statement[OwnerPredicate])


def verify_hub_statement(data: bytes, head: Digest, key: SSlibKey) -> SignedStatement[HubPredicate]:
    """Verify a hub's statement; see `_verify` for the plan and the errors."""
    return _verify(data, head, key, HUB_PREDICATE, _Statement[HubPredicate])


def verify_answer(data: bytes, head: Digest, key: SSlibKey) -> SignedStatement[AnswerPredicate]:
    """Verify an owner's answer to a challenge; see `_verify` for the plan and the errors."""
    return _verify(data, head, key, ANSWER_PREDICATE, _Statement[AnswerPredicate])


def _sign(head: Digest, predicate_type: str, generator: Generator, predicate: Value, signer: CryptoSigner) -> bytes:
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": generator.title, "digest": {"sha256": hex_of(head)}}],
        "predicateType": predicate_type,
        "predicate": predicate.model_dump(mode="json"),
    }
    return sign_envelope(to_canonical(statement), PAYLOAD_TYPE, signer)


def _verify(data: bytes, head: Digest, key: SSlibKey, predicate_type: str, model: type[_Statement[P]]) -> SignedStatement[P]:
    """Verify a statement.

    The plan: (1) a DSSE envelope in canonical JSON, with one signature; (2) signed by `key`; (3) an in-toto statement of
    the expected predicate; (4) whose predicate satisfies the format; (5) about this very head.

    Raises:
        ManifestError: steps 1 or 4 fail, or the payload of step 3 is not canonical JSON.
        SignatureError: step 2 fails.
        UnsupportedVersionError: step 3 fails on the predicate's version.
        StatementError: step 3 fails otherwise, or step 5.
    """
    # step 1
    envelope = read_envelope(data, PAYLOAD_TYPE, name="statement", max_bytes=MAX_STATEMENT_BYTES)
    # step 2
    verify_signed(envelope, key, name="statement", by="the key expected")
    # step 3
    value = from_canonical(envelope.payload, name="statement", max_bytes=MAX_STATEMENT_BYTES)
    found = value.get("predicateType") if isinstance(value, dict) else None
    if found != predicate_type:
        if isinstance(found, str) and found.rpartition(":")[0] == predicate_type.rpartition(":")[0]:
            raise UnsupportedVersionError(f"statement: expected predicate {predicate_type}, got {found}. Update manyheads.")
        raise StatementError(f"statement: expected predicate {predicate_type}, got {str(found)[:80]!r}")
    if value.get("_type") != STATEMENT_TYPE:
        raise StatementError(f"statement: expected _type {STATEMENT_TYPE}, got {str(value.get('_type'))[:80]!r}")
    # step 4
    try:
        statement = model.model_validate_json(envelope.payload)
    except ValidationError as error:
        raise ManifestError(f"statement: {explain(error)}") from error
    # step 5
    subject = statement.subject[0].digest.get("sha256")
    if subject != hex_of(head):
        raise StatementError(f"statement: expected one about head {head}, it is about sha256:{subject}")
    return SignedStatement(head, statement.predicate, key.keyid, digest_bytes(data))
