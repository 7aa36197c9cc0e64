"""Seals: signed by the key they name, refused when anything in them is another."""

from typing import Any

import pytest

from manyheads_shared.canonical import from_canonical, to_canonical
from manyheads_shared.errors import ManifestError, SignatureError
from manyheads_shared.keys import generate_key, public_pem
from manyheads_shared.seal import CustodyHead, Seal, sign_seal, verify_seal
from tests.support.makers import NO_DIGEST, TIME, make_bundle

KEY, OTHER = generate_key(), generate_key()


def make_seal(**change: Any) -> Seal:
    fields: dict[str, Any] = {
        "records": NO_DIGEST,
        "size_bytes": 4424,
        "examined": 3,
        "failed": 1,
        "instruments": (NO_DIGEST,),
        "laboratory": "Lab 4",
        "examiner": "A. Lovelace",
        "case": "2026-117",
        "custody": CustodyHead(sequence=7, digest=NO_DIGEST),
        "public_key": public_pem(KEY.public_key),
        "created": TIME,
    }
    return Seal.new(**(fields | change))


def test_a_seal_is_verified_by_its_laboratorys_key() -> None:
    signed = verify_seal(sign_seal(make_seal(), KEY), KEY.public_key)
    assert (signed.seal, signed.key_id) == (make_seal(), KEY.public_key.keyid)


def test_without_a_key_a_seal_is_held_against_the_one_it_names() -> None:
    assert verify_seal(sign_seal(make_seal(), KEY)).key_id == KEY.public_key.keyid


def test_another_key_than_the_one_given_is_refused() -> None:
    with pytest.raises(SignatureError, match=OTHER.public_key.keyid[:12]):
        verify_seal(sign_seal(make_seal(), KEY), OTHER.public_key)


def test_a_seal_is_signed_by_the_key_that_it_names_or_not_at_all() -> None:
    with pytest.raises(ValueError, match="the key that it names"):
        sign_seal(make_seal(), OTHER)


@pytest.mark.parametrize("field", [name for name in Seal.model_fields if name not in ("format", "public_key")])
def test_no_field_is_changed_under_a_signature(field: str) -> None:
    others: dict[str, Any] = {
        "records": "sha256:" + "1" * 64,
        "instruments": (),
        "custody": None,
        "created": "2026-01-02T03:04:06Z",
        "size_bytes": 1,
        "examined": 4,
        "failed": 0,
    }
    signed, changed = (from_canonical(sign_seal(make_seal(**change), KEY)) for change in ({}, {field: others.get(field)}))
    with pytest.raises(SignatureError, match="none that holds"):
        verify_seal(to_canonical(changed | {"signatures": signed["signatures"]}))


def test_a_statement_is_no_seal() -> None:
    bundle = make_bundle()
    with pytest.raises(ManifestError, match="payloadType"):
        verify_seal(bundle.objects[bundle.manifest.heads[0].owner_statement])


def test_a_seal_has_one_signature() -> None:
    signed = from_canonical(sign_seal(make_seal(), KEY))
    twice = [*signed["signatures"], {"keyid": "ab", "sig": "AAAA"}]
    with pytest.raises(ManifestError, match="at most 1"):
        verify_seal(to_canonical(signed | {"signatures": twice}))
