from collections.abc import Callable
from typing import Any

import pytest

from manyheads_shared.artifact import read_primary
from manyheads_shared.bundle import BundleHead, BundleManifest, LeftOut, object_target, verify_bundle, verify_parts
from manyheads_shared.calibration import Calibration
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from manyheads_shared.errors import (
    ArtifactError,
    BundleError,
    DigestMismatchError,
    ManifestError,
    ManyheadsError,
    PrimaryMismatchError,
    SignatureError,
    StatementError,
)
from manyheads_shared.keys import generate_key, public_pem
from manyheads_shared.statements import OwnerPredicate, sign_hub_statement, sign_owner_statement, verify_hub_statement
from tests.support.makers import TIME, MadeBundle, make_bundle, make_generator, make_head_bytes, make_primary_bytes


def _keep(bundle: MadeBundle, data: bytes) -> Digest:
    bundle.objects[digest_bytes(data)] = data
    return digest_bytes(data)


def _set(bundle: MadeBundle, **change: Any) -> None:
    bundle.manifest = bundle.manifest.model_copy(update=change)


def _set_head(bundle: MadeBundle, index: int = 0, **change: Any) -> None:
    heads = list(bundle.manifest.heads)
    heads[index] = heads[index].model_copy(update=change)
    _set(bundle, heads=tuple(heads))


def _recalibrate(bundle: MadeBundle, **change: Any) -> None:
    calibration = Calibration.from_bytes(bundle.objects[bundle.manifest.calibration])
    _set(bundle, calibration=_keep(bundle, calibration.model_copy(update=change).to_bytes()))


def _entry(bundle: MadeBundle, index: int = 0) -> BundleHead:
    return bundle.manifest.heads[index]


@pytest.mark.parametrize("names", [(), ("alpha",), ("alpha", "beta", "gamma")])
def test_a_bundle_that_belongs_together_is_verified(names: tuple[str, ...]) -> None:
    made = make_bundle(names)
    bundle = verify_bundle(made.data, made.read_object)

    assert bundle.digest == digest_bytes(made.data)
    assert [head.entry.generator.name for head in bundle.heads] == list(names)
    assert [head.owner.key_id for head in bundle.heads] == [made.owner.public_key.keyid] * len(names)
    assert bundle.primary.digest == made.manifest.primary


def test_every_object_a_client_needs_is_listed() -> None:
    made = make_bundle()

    assert set(made.manifest.object_digests()) == set(made.objects)


def test_an_object_is_a_target_named_by_its_digest() -> None:
    digest = digest_bytes(b"x")

    assert object_target(digest) == f"objects/{hex_of(digest)}"


def _other_bytes(bundle: MadeBundle, digest: Digest) -> None:
    bundle.objects[digest] += b"\n"


def _head_for_another_primary(bundle: MadeBundle) -> None:
    other = read_primary(make_primary_bytes(seed=9))
    _set_head(bundle, head=_keep(bundle, make_head_bytes(other)))
    _cover_all_heads(bundle)


def _cover_all_heads(bundle: MadeBundle) -> None:
    band = Calibration.from_bytes(bundle.objects[bundle.manifest.calibration]).detector
    _recalibrate(bundle, heads={entry.head: band for entry in bundle.manifest.heads})


def _renamed_generator(bundle: MadeBundle) -> None:
    _set_head(bundle, generator=make_generator("mallory"))


def _statement_about_another_generator(bundle: MadeBundle) -> None:
    predicate = OwnerPredicate(generator=make_generator("mallory"), primary=bundle.manifest.primary, created=TIME)
    _set_head(bundle, owner_statement=_keep(bundle, sign_owner_statement(_entry(bundle).head, predicate, bundle.owner)))


def _statement_on_another_primary(bundle: MadeBundle) -> None:
    entry = _entry(bundle)
    hub = verify_hub_statement(bundle.objects[entry.hub_statement], entry.head, bundle.hub.public_key).predicate
    moved = hub.model_copy(update={"primary": digest_bytes(b"elsewhere")})
    _set_head(bundle, hub_statement=_keep(bundle, sign_hub_statement(entry.head, moved, bundle.hub)))


def _forged_owner(bundle: MadeBundle) -> None:
    """A stolen hub key: the thief signs as the owner with a key of their own, under the owner's key id."""
    thief, entry = generate_key(), _entry(bundle)
    predicate = OwnerPredicate(generator=entry.generator, primary=bundle.manifest.primary, created=TIME)
    _set_head(bundle, owner_statement=_keep(bundle, sign_owner_statement(entry.head, predicate, thief)))


def _another_key_under_the_owners_id(bundle: MadeBundle) -> None:
    _set(bundle, owner_keys={_entry(bundle).owner_key: public_pem(generate_key().public_key)})


def _owner_as_hub(bundle: MadeBundle) -> None:
    _set(bundle, hub_key=public_pem(bundle.owner.public_key))
    _set_head(bundle, hub_statement=_entry(bundle).owner_statement)


def _left_out_and_in(bundle: MadeBundle) -> None:
    entry = _entry(bundle)
    _set(bundle, left_out=(LeftOut(generator=entry.generator, head=entry.head, state="yanked", reason="it accused"),))


BROKEN: dict[str, tuple[Callable[[MadeBundle], None], type[ManyheadsError], str]] = {
    "a primary that was changed": (lambda b: _other_bytes(b, b.manifest.primary), DigestMismatchError, "primary"),
    "a head that was changed": (lambda b: _other_bytes(b, _entry(b).head), DigestMismatchError, "head alpha@1"),
    "a calibration that was changed": (lambda b: _other_bytes(b, b.manifest.calibration), DigestMismatchError, "calibration"),
    "an owner statement that was changed": (
        lambda b: _other_bytes(b, _entry(b).owner_statement),
        DigestMismatchError,
        "owner statement of alpha@1",
    ),
    "a hub statement that was changed": (
        lambda b: _other_bytes(b, _entry(b).hub_statement),
        DigestMismatchError,
        "hub statement of alpha@1",
    ),
    "a primary that is none": (lambda b: _set(b, primary=_keep(b, b"no")), ArtifactError, "primary"),
    "a head in the primary's place": (lambda b: _set(b, primary=_entry(b).head), ManifestError, r"manyheads\.primary"),
    "another primary": (
        lambda b: _set(b, primary=_keep(b, make_primary_bytes(seed=9))),
        BundleError,
        "calibration is for primary",
    ),
    "a calibration that forgets a head": (lambda b: _recalibrate(b, heads={}), BundleError, "exactly the bundle's heads"),
    "a calibration of a head that is not there": (
        lambda b: _set(b, heads=b.manifest.heads[:1]),
        BundleError,
        "exactly the bundle's heads",
    ),
    "a head twice": (lambda b: _set_head(b, 1, head=_entry(b).head), BundleError, "the head sha256:.* 2 times"),
    "a generator twice": (
        lambda b: _set_head(b, 1, generator=_entry(b).generator),
        BundleError,
        "the generator alpha@1 2 times",
    ),
    "a head both in and left out": (_left_out_and_in, BundleError, "left it out"),
    "a head for another primary": (_head_for_another_primary, PrimaryMismatchError, "alpha@1 was trained on primary"),
    "a head under another generator's name": (
        _renamed_generator,
        BundleError,
        "lists mallory@1, the head's own manifest says alpha@1",
    ),
    "an owner whose key is absent": (lambda b: _set(b, owner_keys={}), SignatureError, "no public key"),
    "another key under the owner's id": (_another_key_under_the_owners_id, SignatureError, "has id"),
    "an owner's key that is none": (
        lambda b: _set(b, owner_keys={_entry(b).owner_key: "-----BEGIN NOTHING-----"}),
        SignatureError,
        "Ed25519 public key",
    ),
    "an owner's statement by a thief": (_forged_owner, SignatureError, "expected a signature by the key expected"),
    "an owner's statement about another generator": (_statement_about_another_generator, StatementError, "about mallory@1"),
    "another head's owner statement": (
        lambda b: _set_head(b, owner_statement=_entry(b, 1).owner_statement),
        StatementError,
        "expected one about head",
    ),
    "the owner's statement as the hub's": (
        _owner_as_hub,
        StatementError,
        "urn:manyheads:evaluation:1",
    ),
    "a hub's statement on another primary": (
        _statement_on_another_primary,
        StatementError,
        "the hub's statement is about alpha@1",
    ),
    "another hub's key": (
        lambda b: _set(b, hub_key=public_pem(generate_key().public_key)),
        SignatureError,
        "by the key expected",
    ),
    "a hub's key that is none": (lambda b: _set(b, hub_key="none"), SignatureError, "Ed25519 public key"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_bundle_whose_parts_disagree_is_refused(case: str) -> None:
    breaks, error, message = BROKEN[case]
    made = make_bundle()
    breaks(made)

    with pytest.raises(error, match=message):
        verify_bundle(made.data, made.read_object)
    with pytest.raises(error, match=message):
        list(verify_parts(made.data, made.read_object))


def test_parts_are_verified_one_by_one_and_in_order() -> None:
    made = make_bundle(("alpha", "beta", "gamma"))
    parts = verify_parts(made.data, made.read_object)

    assert next(parts).entry.generator.name == "alpha"
    del made.objects[_entry(made, 1).head]
    with pytest.raises(KeyError):
        next(parts)


def test_what_reading_an_object_raises_passes_through() -> None:
    made = make_bundle()
    del made.objects[_entry(made).hub_statement]

    with pytest.raises(KeyError):
        verify_bundle(made.data, made.read_object)


@pytest.mark.parametrize(
    "change", [{"sequence": 0}, {"hub": "The Hub"}, {"owner_keys": {"short": "x"}}, {"created": "today"}], ids=str
)
def test_a_manifest_outside_its_ranges_is_refused(change: dict[str, Any]) -> None:
    made = make_bundle(())

    with pytest.raises(ManifestError, match=r"manyheads\.bundle/1"):
        BundleManifest.from_bytes(made.manifest.model_copy(update=change).to_bytes())


def test_a_sequence_that_has_no_canonical_form_as_a_whole_number_is_refused() -> None:
    data = make_bundle(()).data
    with pytest.raises(ManifestError, match="sequence"):
        BundleManifest.from_bytes(data.replace(b'"sequence":1}', b'"sequence":9007199254740992}'))
