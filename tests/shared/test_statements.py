import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from securesystemslib.dsse import Envelope

from manyheads_shared.canonical import to_canonical
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from manyheads_shared.errors import ManifestError, ManyheadsError, SignatureError, StatementError, UnsupportedVersionError
from manyheads_shared.keys import generate_key
from manyheads_shared.statements import (
    HUB_PREDICATE,
    MAX_STATEMENT_BYTES,
    OWNER_PREDICATE,
    PAYLOAD_TYPE,
    Bound,
    HubPredicate,
    OwnerPredicate,
    SourceResult,
    sign_hub_statement,
    sign_owner_statement,
    verify_hub_statement,
    verify_owner_statement,
)
from tests.support.makers import NO_DIGEST, TIME, make_generator

SIGNER, STRANGER = generate_key(), generate_key()
HEAD, OTHER_HEAD = digest_bytes(b"a head"), digest_bytes(b"another head")
OWNER = OwnerPredicate(generator=make_generator(), primary=NO_DIGEST, created=TIME)
SHARE = Bound(share=0.5, lower=0.4, upper=0.6, hits=50, total=100)
HUB = HubPredicate(
    generator=make_generator(),
    primary=NO_DIGEST,
    suite=NO_DIGEST,
    scores=NO_DIGEST,
    policy=NO_DIGEST,
    threshold=-0.25,
    recall=SHARE,
    false_positives=(SourceResult(kind="real", source="photos", external=True, yes=SHARE),),
    auroc=0.99,
    contradiction=None,
    created=TIME,
)
STATEMENT = sign_owner_statement(HEAD, OWNER, SIGNER)


def _payload(**change: Any) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "alpha@1", "digest": {"sha256": hex_of(HEAD)}}],
        "predicateType": OWNER_PREDICATE,
        "predicate": OWNER.model_dump(mode="json"),
    } | change


def _sign(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """A statement that says whatever its key's holder likes."""
    envelope = Envelope(payload, payload_type, {})
    envelope.sign(SIGNER)
    return to_canonical(envelope.to_dict())


def _edit(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The statement's envelope, edited after it was signed."""
    value = json.loads(STATEMENT)
    change(value)
    return to_canonical(value)


def _verify(data: bytes, head: Digest = HEAD) -> OwnerPredicate:
    return verify_owner_statement(data, head, SIGNER.public_key).predicate


def test_an_owners_statement_says_what_was_signed() -> None:
    statement = verify_owner_statement(STATEMENT, HEAD, SIGNER.public_key)

    assert statement.predicate == OWNER
    assert (statement.head, statement.key_id) == (HEAD, SIGNER.public_key.keyid)
    assert statement.digest == digest_bytes(STATEMENT)


def test_a_hubs_statement_says_what_was_measured() -> None:
    statement = verify_hub_statement(sign_hub_statement(HEAD, HUB, SIGNER), HEAD, SIGNER.public_key)

    assert statement.predicate == HUB


def test_signing_twice_gives_the_same_bytes() -> None:
    assert sign_owner_statement(HEAD, OWNER, SIGNER) == STATEMENT


def test_a_statement_is_an_in_toto_statement_in_a_dsse_envelope() -> None:
    envelope = json.loads(STATEMENT)

    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert json.loads(base64.b64decode(envelope["payload"])) == _payload()


def test_a_statement_by_another_key_is_refused() -> None:
    with pytest.raises(SignatureError, match=STRANGER.public_key.keyid[:12]):
        verify_owner_statement(STATEMENT, HEAD, STRANGER.public_key)


def test_a_stranger_who_writes_the_owners_key_id_is_refused() -> None:
    forged = json.loads(sign_owner_statement(HEAD, OWNER, STRANGER))
    forged["signatures"][0]["keyid"] = SIGNER.public_key.keyid

    with pytest.raises(SignatureError):
        _verify(to_canonical(forged))


def test_a_statement_about_another_head_is_refused() -> None:
    with pytest.raises(StatementError, match=OTHER_HEAD):
        _verify(STATEMENT, OTHER_HEAD)


def test_a_payload_that_was_changed_is_refused() -> None:
    other = base64.b64encode(
        to_canonical(_payload(predicate=OWNER.model_dump(mode="json") | {"created": "2026-01-02T03:04:06Z"}))
    )

    with pytest.raises(SignatureError):
        _verify(_edit(lambda envelope: envelope.update(payload=other.decode())))


def test_a_hubs_statement_is_no_owners_statement() -> None:
    with pytest.raises(StatementError, match="urn:manyheads:evaluation:1"):
        _verify(sign_hub_statement(HEAD, HUB, SIGNER))
    with pytest.raises(StatementError, match="urn:manyheads:owner:1"):
        verify_hub_statement(STATEMENT, HEAD, SIGNER.public_key)


def test_a_predicate_of_another_version_is_an_error_of_its_own() -> None:
    with pytest.raises(UnsupportedVersionError, match="urn:manyheads:owner:2"):
        _verify(_sign(to_canonical(_payload(predicateType="urn:manyheads:owner:2"))))


PREDICATE = OWNER.model_dump(mode="json")
SIGNED: dict[str, tuple[bytes, type[ManyheadsError]]] = {
    "a strange predicate": (_sign(to_canonical(_payload(predicateType="https://slsa.dev/provenance/v1"))), StatementError),
    "no predicate type": (_sign(to_canonical({})), StatementError),
    "a list": (_sign(to_canonical([])), StatementError),
    "an older in-toto statement": (_sign(to_canonical(_payload(_type="https://in-toto.io/Statement/v0.1"))), StatementError),
    "two subjects": (_sign(to_canonical(_payload(subject=_payload()["subject"] * 2))), ManifestError),
    "no subject": (_sign(to_canonical(_payload(subject=[]))), ManifestError),
    "a subject without a digest": (_sign(to_canonical(_payload(subject=[{"name": "x", "digest": {}}]))), StatementError),
    "a subject with another digest": (
        _sign(to_canonical(_payload(subject=[{"name": "x", "digest": {"sha512": "00"}}]))),
        ManifestError,
    ),
    "an unknown field": (_sign(to_canonical(_payload(extra=1))), ManifestError),
    "an unknown field in the predicate": (_sign(to_canonical(_payload(predicate=PREDICATE | {"x": 1}))), ManifestError),
    "a field missing in the predicate": (_sign(to_canonical(_payload(predicate={"created": TIME}))), ManifestError),
    "a payload that is not canonical": (_sign(json.dumps(_payload()).encode()), ManifestError),
    "a payload that is no JSON": (_sign(b"\xff\x00"), ManifestError),
    "another payload type": (_sign(to_canonical(_payload()), "application/json"), ManifestError),
}


@pytest.mark.parametrize("case", SIGNED)
def test_a_good_signature_on_a_bad_statement_is_refused(case: str) -> None:
    data, error = SIGNED[case]

    with pytest.raises(error):
        _verify(data)


def _two_signatures(envelope: dict[str, Any]) -> None:
    envelope["signatures"] *= 2


def _loose(text: str) -> str:
    """The same bytes in base64 that only a lenient reader takes."""
    return text[:4] + "\n" + text[4:]


def _odd_last_bits(text: str) -> str:
    """The same bytes, with other bits where the padding hides them."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = text.rstrip("=")
    return body[:-1] + alphabet[alphabet.index(body[-1]) + 1] + "=" * (len(text) - len(body))


ENVELOPES: dict[str, bytes] = {
    "nothing": b"",
    "text": b"hello",
    "a list": b"[]",
    "a number": b"3",
    "nothing in it": b"{}",
    "an unknown field": _edit(lambda e: e.update(extra=1)),
    "a field missing": _edit(lambda e: e.pop("payloadType")),
    "no signature": _edit(lambda e: e.update(signatures=[])),
    "two signatures": _edit(_two_signatures),
    "signatures that are none": _edit(lambda e: e.update(signatures=[1])),
    "a signature with an unknown field": _edit(lambda e: e["signatures"][0].update(cert="x")),
    "a signature that is not base64": _edit(lambda e: e["signatures"][0].update(sig="!!")),
    "a payload that is not base64": _edit(lambda e: e.update(payload="!!")),
    "a payload that is a number": _edit(lambda e: e.update(payload=7)),
    "a payload with a line break": _edit(lambda e: e.update(payload=_loose(e["payload"]))),
    "a signature with a line break": _edit(lambda e: e["signatures"][0].update(sig=_loose(e["signatures"][0]["sig"]))),
    "a signature with other hidden bits": _edit(
        lambda e: e["signatures"][0].update(sig=_odd_last_bits(e["signatures"][0]["sig"]))
    ),
    "white space": json.dumps(json.loads(STATEMENT)).encode(),
    "too large": to_canonical({"payload": "A" * MAX_STATEMENT_BYTES, "payloadType": PAYLOAD_TYPE, "signatures": []}),
}


@pytest.mark.parametrize("case", ENVELOPES)
def test_anything_but_a_plain_envelope_is_refused(case: str) -> None:
    with pytest.raises(ManifestError):
        _verify(ENVELOPES[case])


def test_hidden_bits_would_decode_to_the_same_signature() -> None:
    signature = json.loads(STATEMENT)["signatures"][0]["sig"]

    assert base64.b64decode(_odd_last_bits(signature), validate=True) == base64.b64decode(signature)


@given(st.integers(0, len(STATEMENT) - 1), st.integers(1, 255))
def test_no_changed_byte_is_accepted(offset: int, flip: int) -> None:
    data = bytearray(STATEMENT)
    data[offset] ^= flip

    with pytest.raises(ManyheadsError):
        _verify(bytes(data))


def test_a_share_outside_zero_and_one_cannot_be_stated() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Bound(share=1.5, lower=0.0, upper=1.0, hits=3, total=2)


def test_the_two_predicates_have_names_of_their_own() -> None:
    assert OWNER_PREDICATE != HUB_PREDICATE
