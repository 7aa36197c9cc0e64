"""Ownership challenges: issued to a head that passed, answered with fresh images, settled by what the heads say of them.

The head is fixed before the nonce is drawn, so it cannot have been made for the answer, nor the answer's images be chosen
before. What that proves and what it does not is in docs/formats/statement.md, S6. Reading images is for `submissions.answers`,
running networks for the worker; what is here are the rules and the rows.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from manyheads_hub.evaluations import jobs
from manyheads_hub.evaluations.claims import share_of
from manyheads_hub.evaluations.coarse import in_steps
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.tables import ChallengeRow
from manyheads_shared import clock
from manyheads_shared.api import Reason
from manyheads_shared.challenge import draw_nonce
from manyheads_shared.digest import Digest
from manyheads_shared.document import Value
from manyheads_shared.manifest import DigestField

ISSUED = Reason(
    code="challenge-issued",
    message="the head passed every examination; the hub now asks for fresh images from your generator, for seeds it has "
    "chosen; "
    "`manyheads-contributor answer-challenge` shows them and the deadline",
)
EXPIRED = Reason(
    code="challenge-expired",
    message="no answer to the ownership challenge came before its deadline; submit the head again when your generator is at "
    "hand",
)


class ShownPicture(Value):
    """A picture for the head card, kept by digest."""

    digest: DigestField
    caption: str
    logit: float


class Passed(Value):
    """What a head that passed the gate is listed with."""

    hub_statement: DigestField
    pictures: tuple[ShownPicture, ...]


def issue(session: Session, submission_id: str, policy: Policy, passed: Passed) -> None:
    """Challenge the owner of a head that passed. A job at the deadline settles it, answered or not."""
    now = clock.now()
    deadline = clock.write_time(clock.read_time(now) + timedelta(hours=policy.challenge_hours))
    fresh = {
        "nonce": draw_nonce(),
        "images": policy.challenge_images,
        "issued": now,
        "deadline": deadline,
        "state": "open",
        "statement": None,
        "answer": [],
        "passed": passed.model_dump(mode="json"),
    }
    session.merge(ChallengeRow(submission_id=submission_id, **fresh))  # a head submitted again is challenged anew
    jobs.enqueue(session, "challenge", submission_id, after=policy.challenge_hours * 3600.0 + 1)


def find(session: Session, submission_id: str) -> ChallengeRow | None:
    """Return a submission's challenge; None where none was issued."""
    return session.get(ChallengeRow, submission_id)


def is_over(row: ChallengeRow) -> bool:
    """Whether a challenge's deadline has passed without an answer."""
    return row.state == "expired" or (row.state == "open" and clock.now() >= row.deadline)


def seconds_left(row: ChallengeRow) -> float:
    """Return the seconds from now to a challenge's deadline, and one more."""
    return max((clock.read_time(row.deadline) - clock.read_time(clock.now())).total_seconds(), 0.0) + 1


def passed_of(row: ChallengeRow) -> Passed:
    """Return what the challenged head will be listed with."""
    return Passed.model_validate_json(json.dumps(row.passed))


def accept_answer(session: Session, row: ChallengeRow, statement: Digest, images: Sequence[Digest]) -> None:
    """Keep a checked answer, and have the worker measure it now."""
    row.state, row.statement, row.answer = "answered", statement, list(images)
    jobs.enqueue(session, "challenge", row.submission_id)


def check_answer(
    logits: NDArray[np.float32], threshold: float, rivals: Mapping[str, tuple[NDArray[np.float32], float]], policy: Policy
) -> list[Reason]:
    """Return why fresh images do not bear out an owner's claim; nothing when they do.

    The plan: (1) the head claims them as it claimed the proofs; (2) no other accepted head surely does.

    Args:
        logits: float32 (N,), of the fresh images by the challenged head.
        threshold: the logit from which on it claims, as the hub's statement has it.
        rivals: for every other accepted head, by name@version, its logits of the same images and its threshold.
    """
    reasons = []
    # step 1
    own = share_of(bool(yes) for yes in logits >= threshold)
    if own.lower < policy.min_challenge_recall_lower:
        reasons.append(
            Reason(
                code="challenge-not-recognised",
                message=f"of {own.total} fresh images the head claims {in_steps(own.hits, own.total)}, fewer than of the "
                "proofs. Were "
                "they made by the generator it was trained on, with the seeds given, and saved as the proofs were?",
            )
        )
    # step 2
    for title, (theirs, high) in rivals.items():
        claimed = share_of(bool(yes) for yes in theirs >= high)
        if claimed.lower > policy.max_rival_claims_lower:
            reasons.append(
                Reason(
                    code="challenge-contested",
                    message=f"of {claimed.total} fresh images the accepted head of {title} claims "
                    f"{in_steps(claimed.hits, claimed.total)}. If the two generators are one, or one was made from the other, "
                    "tell the "
                    "hub's maintainer.",
                )
            )
    return reasons
