"""The checks at the door: cheap, without torch, before anything is queued. A submission that passes deserves an evaluation."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from manyheads_hub.auth import Caller
from manyheads_hub.blobs import Blobs
from manyheads_hub.contributors.keys import refuse_revoked
from manyheads_hub.errors import ConflictError, ForbiddenError, NotReadyError, SubmissionError
from manyheads_hub.evaluations.policy import Policy, read_policy
from manyheads_hub.hub import Hub
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.submissions import queries
from manyheads_shared.api import SubmissionRequest
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact, read_head, read_primary
from manyheads_shared.digest import Digest, short
from manyheads_shared.errors import ImageError, StatementError
from manyheads_shared.image import Pixels, decode_image, measure_image
from manyheads_shared.keys import parse_public_key
from manyheads_shared.manifest import Generator
from manyheads_shared.preprocess import fit_image
from manyheads_shared.probe import verify_probe
from manyheads_shared.statements import verify_owner_statement

OVER = ("refused", "failed")  # states after which the same head may be offered again


@dataclass(frozen=True)
class Offer:
    """A head that passed the door, with what vouches for it."""

    head: HeadArtifact
    owner_statement: Digest
    proofs: tuple[Digest, ...]


def check_offer(hub: Hub, caller: Caller, request: SubmissionRequest) -> Offer:
    """Check what a contributor offers. No session stays open while images are decoded.

    The plan: (1) enough proofs, and the caller uploaded every file; (2) there is a primary; (3) a head for it, with the
    primary's own probe; (4) of the caller's, for one of the token's generators; (5) under a name@version that is free, with
    a key that is not revoked; (6) the owner's statement, with the enrolled key, on this head; (7) proof images that decode,
    fit the primary and differ from each other.

    Raises:
        SubmissionError: steps 1 or 7 fail.
        NotReadyError: step 2 fails.
        FormatError, VerificationError: steps 3 or 6 fail; the subclass says how.
        ForbiddenError: step 4 fails, or the key of step 5 is revoked.
        ConflictError: step 5 fails.
    """
    # step 1
    _refuse_too_few(request.proofs, read_policy(hub.settings.policy))
    with hub.database.read() as session:
        refuse_missing(session, caller, [request.head, request.owner_statement, *request.proofs])
        # step 2
        row = primaries.current(session)
    if row is None:
        raise NotReadyError("this hub has not published a primary yet, so there is nothing a head could fit")
    primary = read_primary(hub.blobs.read(row.digest))
    # step 3
    head = read_head(hub.blobs.read(request.head), primary)
    generator = head.manifest.generator
    verify_probe(primary.manifest.probe, head.manifest.probe, name=f"head {generator.title}")
    # step 4
    _refuse_foreign(caller, generator)
    # step 5
    with hub.database.read() as session:
        refuse_revoked(session, caller)
        refuse_used_version(session, generator, head.digest)
    # step 6
    statement = verify_owner_statement(
        hub.blobs.read(request.owner_statement), head.digest, parse_public_key(caller.public_key)
    ).predicate
    if (statement.generator, statement.primary) != (generator, primary.digest):
        raise StatementError(
            f"the owner's statement is about {statement.generator.title} on {statement.primary}; "
            f"the head is {generator.title} on {primary.digest}. Package the head again."
        )
    # step 7
    check_images(hub.blobs, request.proofs, primary, max_pixels=hub.settings.limits.proof_pixels)
    return Offer(head, request.owner_statement, tuple(request.proofs))


def refuse_used_version(session: Session, generator: Generator, head: Digest) -> None:
    """Check that a name@version is free: never another head's, and no submission of it waiting or accepted.

    Raises:
        ConflictError: it is not.
    """
    for earlier in queries.of_generator_version(session, generator.name, generator.version):
        if earlier.head != head:
            raise ConflictError(
                f"{generator.title} was submitted before with other weights (submission {earlier.id}, {earlier.state}); "
                "a name@version never changes its meaning: package this head under a new version"
            )
        if earlier.state not in OVER:
            raise ConflictError(f"{generator.title} was submitted before: submission {earlier.id} is {earlier.state}")


def _refuse_too_few(proofs: Sequence[Digest], policy: Policy) -> None:
    """Of an odd number of proofs the test half gets one more (`scores.split_parts`)."""
    enough = 2 * policy.min_proofs - 1
    if len(set(proofs)) < enough:
        raise SubmissionError(
            f"expected at least {enough} proof images, got {len(set(proofs))}: half of them test the head, and this hub's "
            f"policy asks for {policy.min_proofs} of those; send more"
        )


def refuse_missing(session: Session, caller: Caller, digests: Sequence[Digest]) -> None:
    """Check that the caller has uploaded every file whole.

    Raises:
        SubmissionError: some are missing.
    """
    missing = set(digests) - queries.uploaded(session, caller.contributor_id, digests)
    if missing:
        raise SubmissionError(
            f"{len(missing)} of {len(set(digests))} files were not uploaded (first: {short(min(missing))}); "
            "upload each before submitting"
        )


def _refuse_foreign(caller: Caller, generator: Generator) -> None:
    if generator.owner != caller.owner:
        raise ForbiddenError(f"head {generator.title} names {generator.owner} as its owner, the token is {caller.owner}'s")
    if generator.name not in caller.generators:
        theirs = ", ".join(sorted(caller.generators)) or "none"
        raise ForbiddenError(
            f"{caller.owner}'s token is not good for generator {generator.name} (it is for: {theirs}); "
            "use another token, or ask the hub's maintainer to enrol the generator"
        )


def check_images(
    blobs: Blobs, proofs: Sequence[Digest], primary: PrimaryArtifact, *, max_pixels: int, what: str = "proof image"
) -> None:
    """Decode every image an owner shows; two of the same pixels would count one image twice.

    Raises:
        SubmissionError: one cannot be used, or two are the same.
    """
    seen: dict[bytes, Digest] = {}
    for proof in proofs:
        try:
            data = blobs.read(proof)
            _refuse_too_large(data, max_pixels)
            pixels = decode_image(data).pixels
            fit_image(pixels, primary.manifest.preprocessing)
        except ImageError as error:
            raise SubmissionError(f"{what} {short(proof)}: {error}") from error
        content = _digest_pixels(pixels)
        if content in seen:
            raise SubmissionError(
                f"{what}s {short(seen[content])} and {short(proof)} show the same pixels; each must be an image of its own"
            )
        seen[content] = proof


def _refuse_too_large(data: bytes, max_pixels: int) -> None:
    """Look at an image's size before a pixel is decoded; whatever else is wrong with it is for `decode_image` to say."""
    try:
        width, height = measure_image(data)
    except ImageError:
        return
    if width * height > max_pixels:
        raise ImageError(f"expected at most {max_pixels} pixels of a proof image, got {width}x{height}; send a smaller one")


def _digest_pixels(pixels: Pixels) -> bytes:
    """Return what is the same for two images of the same pixels; they are not copied for it."""
    content = hashlib.sha256(repr(pixels.shape).encode())
    content.update(np.ascontiguousarray(pixels).data)
    return content.digest()
