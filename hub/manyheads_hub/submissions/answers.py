"""Answers to ownership challenges at the door: shown, checked without torch, and handed to the worker."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from manyheads_hub.audit.log import record
from manyheads_hub.auth import Caller
from manyheads_hub.errors import ConflictError, NotFoundError, SubmissionError
from manyheads_hub.evaluations import challenges
from manyheads_hub.hub import Hub
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.submissions import queries
from manyheads_hub.submissions.checks import check_images, refuse_missing
from manyheads_hub.tables import ChallengeRow, SubmissionRow
from manyheads_shared.api import ChallengeAnswer, ChallengeInfo
from manyheads_shared.artifact import read_primary
from manyheads_shared.challenge import derive_seeds
from manyheads_shared.digest import Digest
from manyheads_shared.errors import StatementError
from manyheads_shared.keys import parse_public_key
from manyheads_shared.statements import verify_answer


def get_challenge(session: Session, caller: Caller, submission_id: str) -> ChallengeInfo:
    """Return the challenge of one of a contributor's submissions.

    Raises:
        NotFoundError: no such submission of theirs for a generator that their token is good for, or it was not challenged.
    """
    return _to_info(*_find(session, caller, submission_id))


def take_answer(hub: Hub, caller: Caller, submission_id: str, answer: ChallengeAnswer) -> ChallengeInfo:
    """Take an answer to a challenge. The same images again change nothing: whoever was killed before the reply may ask again.

    The plan: (1) an open challenge before its deadline; (2) an image for every seed, each once, none a proof; (3) all uploaded
    by the caller; (4) the statement, with the enrolled key, on this head, nonce and images in their order; (5) images that
    decode, fit the primary and differ from each other; (6) kept, if it is open still.

    Raises:
        NotFoundError: no such challenge of the caller's.
        ConflictError: steps 1 or 6 fail.
        SubmissionError: steps 2, 3 or 5 fail.
        FormatError, VerificationError: step 4 fails; the subclass says how.
    """
    # step 1
    with hub.database.read() as session:
        challenge, submission = _find(session, caller, submission_id)
        if challenge.answer == list(answer.images):
            return _to_info(challenge, submission)
        _refuse_closed(challenge)
        # step 2
        _refuse_wrong_images(challenge, submission, answer.images)
        # step 3
        refuse_missing(session, caller, [answer.statement, *answer.images])
        row = primaries.find(session, submission.primary)
    # step 4
    statement = verify_answer(hub.blobs.read(answer.statement), submission.head, parse_public_key(caller.public_key)).predicate
    said = statement.submission, statement.nonce, list(statement.images), statement.generator.title
    asked = submission.id, challenge.nonce, answer.images, f"{submission.generator}@{submission.version}"
    if said != asked:
        raise StatementError("the statement is about another submission, nonce, generator or list of images; sign it again")
    # step 5
    assert row is not None  # the submission refers to it
    primary = read_primary(hub.blobs.read(row.digest))
    check_images(hub.blobs, answer.images, primary, max_pixels=hub.settings.limits.proof_pixels, what="fresh image")
    # step 6
    with hub.database.write() as session:
        challenge, submission = _find(session, caller, submission_id)
        _refuse_closed(challenge)
        challenges.accept_answer(session, challenge, answer.statement, answer.images)
        details = {"statement": answer.statement, "images": len(answer.images)}
        record(session, caller.actor, "challenge.answered", submission_id, details=details)
        return _to_info(challenge, submission)


def _find(session: Session, caller: Caller, submission_id: str) -> tuple[ChallengeRow, SubmissionRow]:
    row = queries.find(session, submission_id)
    challenge = challenges.find(session, submission_id)
    is_own = row is not None and row.contributor_id == caller.contributor_id and row.generator in caller.generators
    if row is None or challenge is None or not is_own:
        raise NotFoundError(f"no challenge of a submission {submission_id!r} of yours")
    return challenge, row


def _refuse_closed(challenge: ChallengeRow) -> None:
    if challenges.is_over(challenge):
        raise ConflictError(f"the challenge's deadline, {challenge.deadline}, has passed; submit the head again for another")
    if challenge.state != "open":
        raise ConflictError(f"the challenge was answered before and is {challenge.state}; an answer is given once")


def _refuse_wrong_images(challenge: ChallengeRow, submission: SubmissionRow, images: Sequence[Digest]) -> None:
    if len(images) != challenge.images or len(set(images)) != challenge.images:
        raise SubmissionError(
            f"expected {challenge.images} images, one for each seed and no two the same file, got {len(set(images))}"
        )
    if shown := set(images) & set(submission.proofs):
        raise SubmissionError(f"expected fresh images, got {len(shown)} that came as proofs; make them with the seeds given")


def _to_info(challenge: ChallengeRow, submission: SubmissionRow) -> ChallengeInfo:
    return ChallengeInfo.model_validate(
        {
            "submission": submission.id,
            "generator": {
                "name": submission.generator,
                "version": submission.version,
                "owner": submission.owner,
                "level": submission.level,
            },
            "head": submission.head,
            "state": "expired" if challenges.is_over(challenge) else challenge.state,
            "nonce": challenge.nonce,
            "seeds": list(derive_seeds(challenge.nonce, challenge.images)),
            "issued": challenge.issued,
            "deadline": challenge.deadline,
        }
    )
