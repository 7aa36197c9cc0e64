"""The checks at the door: each refusal has its own error, and none needs torch."""

from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
from sqlalchemy import update

from manyheads_hub.errors import ConflictError, ForbiddenError, NotReadyError, SubmissionError
from manyheads_hub.hub import Hub
from manyheads_hub.submissions.checks import Offer, check_offer
from manyheads_hub.tables import PrimaryRow
from manyheads_shared.api import SubmissionRequest
from manyheads_shared.artifact import MANIFEST_KEY, read_head_manifest, read_primary
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import (
    FeatureContractError,
    ManifestError,
    NonFiniteTensorError,
    PrimaryMismatchError,
    SignatureError,
    StatementError,
    TensorSetError,
)
from manyheads_shared.keys import generate_key
from manyheads_shared.statements import OwnerPredicate, sign_owner_statement
from tests.support.image_files import png_header, png_of
from tests.support.live_hub import Owner, Package, hand_over, package, submit
from tests.support.makers import TIME, make_generator, make_head_bytes
from tests.support.world import draw_images, draw_proofs, encode, trained_primary

ALPHA = make_generator("alpha")
PROOFS = draw_proofs("alpha", 47)  # 24 of them test a head, which is what the policy asks for


@pytest.fixture
def offer(ada: Owner) -> Package:
    return package(ada, ALPHA, proofs=PROOFS)


def check(hub: Hub, owner: Owner, offer: Package) -> Offer:
    caller, request = hand_over(hub, owner, offer)
    return check_offer(hub, caller, request)


def altered(head: bytes, **tensors: np.ndarray) -> bytes:
    manifest = read_head_manifest(head).to_bytes().decode()
    return safetensors.numpy.save(safetensors.numpy.load(head) | tensors, metadata={MANIFEST_KEY: manifest})


def test_a_sound_offer_passes(hub: Hub, ada: Owner, offer: Package) -> None:
    checked = check(hub, ada, offer)
    assert (checked.head.digest, len(checked.proofs)) == (digest_bytes(offer.head), len(offer.proofs))


def test_a_file_that_was_not_uploaded_is_named(hub: Hub, ada: Owner, offer: Package) -> None:
    caller, _ = hand_over(hub, ada, replace(offer, proofs=offer.proofs[1:]))
    hub.blobs.put(offer.proofs[0])  # the hub has it, but not from this caller
    request = SubmissionRequest.model_validate(offer.request)
    with pytest.raises(SubmissionError, match="1 of 49 files were not uploaded"):
        check_offer(hub, caller, request)


def test_a_hub_without_a_primary_is_not_ready(hub: Hub, ada: Owner, offer: Package) -> None:
    with hub.database.write() as session:
        session.execute(update(PrimaryRow).values(published=None))
    with pytest.raises(NotReadyError, match="has not published a primary"):
        check(hub, ada, offer)


def test_a_head_for_another_primary_is_refused(hub: Hub, ada: Owner) -> None:
    other = read_primary(trained_primary("2"))
    with pytest.raises(PrimaryMismatchError):
        check(hub, ada, package(ada, ALPHA, proofs=PROOFS, head=make_head_bytes(other, ALPHA), primary=other))


@pytest.mark.parametrize(
    ("tensors", "error"),
    [
        ({"decision.bias": np.array([np.nan], dtype=np.float32)}, NonFiniteTensorError),
        ({"stowaway": np.zeros(3, dtype=np.float32)}, TensorSetError),
    ],
)
def test_a_malformed_head_is_refused(
    hub: Hub, ada: Owner, offer: Package, tensors: dict[str, np.ndarray], error: type[Exception]
) -> None:
    with pytest.raises(error):
        check(hub, ada, package(ada, ALPHA, proofs=PROOFS, head=altered(offer.head, **tensors)))


def test_a_head_trained_on_other_features_is_refused(hub: Hub, ada: Owner) -> None:
    primary = read_primary(trained_primary())
    probe = read_primary(trained_primary("2")).manifest.probe
    lying = replace(primary, manifest=primary.manifest.model_copy(update={"probe": probe}))
    with pytest.raises(FeatureContractError):
        check(hub, ada, package(ada, ALPHA, proofs=PROOFS, head=make_head_bytes(lying, ALPHA)))


@pytest.mark.parametrize(
    ("generator", "reason"),
    [
        (make_generator("alpha", owner="bob"), "names bob as its owner, the token is ada's"),
        (make_generator("gamma"), r"not good for generator gamma \(it is for: alpha, beta\)"),
    ],
)
def test_a_head_for_somebody_elses_generator_is_refused(hub: Hub, ada: Owner, generator: object, reason: str) -> None:
    with pytest.raises(ForbiddenError, match=reason):
        check(hub, ada, package(ada, generator, proofs=PROOFS))  # type: ignore[arg-type]


def test_a_version_that_waits_or_was_accepted_is_not_free(hub: Hub, ada: Owner, offer: Package) -> None:
    submit(hub, ada, offer)
    with pytest.raises(ConflictError, match=r"alpha@1 was submitted before: submission \w+ is received"):
        check(hub, ada, offer)


def test_a_version_never_names_other_weights(hub: Hub, ada: Owner, offer: Package) -> None:
    submit(hub, ada, offer)
    other = make_head_bytes(read_primary(trained_primary()), ALPHA)
    with pytest.raises(ConflictError, match="with other weights"):
        check(hub, ada, package(ada, ALPHA, proofs=PROOFS, head=other))


def test_a_statement_by_another_key_is_refused(hub: Hub, ada: Owner) -> None:
    with pytest.raises(SignatureError):
        check(hub, ada, package(replace(ada, key=generate_key()), ALPHA, proofs=PROOFS))


def test_a_statement_about_another_generator_is_refused(hub: Hub, ada: Owner, offer: Package) -> None:
    primary = read_primary(trained_primary()).digest
    predicate = OwnerPredicate(generator=make_generator("beta"), primary=primary, created=TIME)
    statement = sign_owner_statement(digest_bytes(offer.head), predicate, ada.key)
    with pytest.raises(StatementError, match="is about beta@1"):
        check(hub, ada, replace(offer, statement=statement))


def test_bytes_that_are_no_statement_are_refused(hub: Hub, ada: Owner, offer: Package) -> None:
    with pytest.raises(ManifestError):
        check(hub, ada, replace(offer, statement=b"{}"))


def test_a_proof_that_is_no_image_is_named(hub: Hub, ada: Owner, offer: Package) -> None:
    with pytest.raises(SubmissionError, match=r"proof image sha256:\w+…: expected a PNG"):
        check(hub, ada, replace(offer, proofs=(*offer.proofs, b"not an image")))


def test_so_few_proofs_that_the_gate_would_refuse_them_do_not_pass_the_door(hub: Hub, ada: Owner, offer: Package) -> None:
    with pytest.raises(SubmissionError, match="expected at least 47 proof images, got 46"):
        check(hub, ada, replace(offer, proofs=tuple(PROOFS[1:])))


def test_a_proof_of_more_pixels_than_allowed_is_refused_undecoded(hub: Hub, ada: Owner, offer: Package) -> None:
    empty = png_of((png_header(6000, 5000), (b"IDAT", b""), (b"IEND", b"")))  # to decode it would be another error
    with pytest.raises(SubmissionError, match="expected at most 25000000 pixels of a proof image, got 6000x5000"):
        check(hub, ada, replace(offer, proofs=(*PROOFS, empty)))


def test_two_proofs_of_the_same_pixels_are_refused(hub: Hub, ada: Owner, offer: Package) -> None:
    twin = encode(draw_images("alpha", 1, seed=3)[0], comment="other bytes, same picture")
    with pytest.raises(SubmissionError, match="show the same pixels"):
        check(hub, ada, replace(offer, proofs=(*PROOFS, twin)))
