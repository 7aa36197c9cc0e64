"""Proofs of possession: signed by the key they enrol, and by the one they replace."""

import pytest

from manyheads_shared.canonical import from_canonical, to_canonical
from manyheads_shared.errors import ManifestError, SignatureError
from manyheads_shared.key_proof import sign_key_proof, verify_key_proof
from manyheads_shared.keys import generate_key, public_pem
from tests.support.makers import TIME, make_bundle

KEY, OLD, OTHER = generate_key(), generate_key(), generate_key()


def proof(*, key: object = KEY, replaces: object = None, nonce: str | None = None) -> bytes:
    return sign_key_proof(hub="lab", owner="ada", key=key, replaces=replaces, nonce=nonce, created=TIME)  # type: ignore[arg-type]


def graft(payload_of: bytes, signatures_of: bytes) -> bytes:
    """The payload of one envelope under the signatures of another."""
    envelope = from_canonical(payload_of) | {"signatures": from_canonical(signatures_of)["signatures"]}
    return to_canonical(envelope)


def without(key_id: str, data: bytes) -> bytes:
    """An envelope without one key's signature."""
    envelope = from_canonical(data)
    kept = [signature for signature in envelope["signatures"] if signature["keyid"] != key_id]
    return to_canonical(envelope | {"signatures": kept})


def test_an_enrolment_is_signed_by_the_key_it_names() -> None:
    checked = verify_key_proof(proof(nonce="abc"))
    assert (checked.hub, checked.owner, checked.nonce, checked.public_key) == ("lab", "ada", "abc", public_pem(KEY.public_key))


def test_a_rotation_is_signed_by_both_keys() -> None:
    assert verify_key_proof(proof(replaces=OLD), replaces=OLD.public_key).replaces == OLD.public_key.keyid


@pytest.mark.parametrize(
    ("data", "replaces", "words"),
    [
        (graft(proof(), proof(key=OTHER)), None, "by the key it names"),
        (without(OLD.public_key.keyid, proof(replaces=OLD)), OLD, "by the key it replaces"),
        (proof(replaces=OTHER), OLD, "expected to replace key"),
        (proof(), OLD, "it replaces none"),
        (proof(replaces=OLD), None, "expected to replace key none"),
    ],
)
def test_a_proof_that_lacks_a_signature_or_replaces_another_key_is_refused(data: bytes, replaces: object, words: str) -> None:
    with pytest.raises(SignatureError, match=words):
        verify_key_proof(data, replaces=replaces.public_key if replaces else None)  # type: ignore[attr-defined]


def test_a_statement_is_no_proof() -> None:
    bundle = make_bundle()
    statement = bundle.objects[bundle.manifest.heads[0].owner_statement]
    with pytest.raises(ManifestError, match="payloadType"):
        verify_key_proof(statement)


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"payload":1,"payloadType":"x","signatures":[]}', proof() + b" "])
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError):
        verify_key_proof(data)
