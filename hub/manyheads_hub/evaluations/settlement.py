"""A challenge's way from its answer, or its deadline, to a decision. Scoring lies between `prepare` and `conclude`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads_hub.blobs import BlobSequence
from manyheads_hub.catalogue import queries as catalogue
from manyheads_hub.evaluations import assessment, challenges, jobs
from manyheads_hub.evaluations.policy import Policy, read_policy
from manyheads_hub.hub import Hub
from manyheads_hub.submissions import queries as submissions
from manyheads_shared.api import EvaluationInfo
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact, read_head, read_primary
from manyheads_shared.digest import Digest


@dataclass(frozen=True)
class AnswerTask:
    """Everything that settling an answered challenge needs."""

    primary: PrimaryArtifact
    head: HeadArtifact
    threshold: float  # the logit from which on the head claims, as it was accepted by the gate
    rivals: tuple[HeadArtifact, ...]
    rival_thresholds: tuple[float, ...]
    images: Sequence[bytes]
    policy: Policy


def prepare(hub: Hub, submission_id: str) -> AnswerTask | None:
    """Gather what settling a challenge needs; None where no answer waits.

    Raises:
        ManyheadsError: the hub's own policy or blobs are not in order.
    """
    with hub.database.read() as session:
        challenge, row = challenges.find(session, submission_id), submissions.find(session, submission_id)
        if challenge is None or row is None or row.state != "challenged" or challenge.state != "answered":
            return None
        listed = [head for head in catalogue.listed_heads(session, row.primary) if head.generator != row.generator]
        others = {Digest(head.digest): EvaluationInfo.model_validate(head.evaluation).threshold for head in listed}
        own = EvaluationInfo.model_validate(row.evaluation)
        images = BlobSequence(hub.blobs, challenge.answer)
        head_digest, primary_digest = row.head, row.primary
    primary = read_primary(hub.blobs.read(primary_digest))
    return AnswerTask(
        primary=primary,
        head=read_head(hub.blobs.read(head_digest), primary),
        threshold=own.threshold,
        rivals=tuple(read_head(hub.blobs.read(digest), primary) for digest in others),
        rival_thresholds=tuple(others.values()),
        images=images,
        policy=read_policy(hub.settings.policy),
    )


def conclude(hub: Hub, lease: jobs.Lease, task: AnswerTask, logits: NDArray[np.float32]) -> None:
    """Accept the head or refuse it, by what the heads say of the fresh images, in one transaction.

    Args:
        logits: float32 (N, 2 + K): the detector's, the head's, the other accepted heads'.

    Raises:
        LeaseLostError: another worker has taken over; nothing was written.
    """
    titles = [rival.manifest.generator.title for rival in task.rivals]
    rivals = {
        title: (logits[:, 2 + k], high) for k, (title, high) in enumerate(zip(titles, task.rival_thresholds, strict=True))
    }
    reasons = challenges.check_answer(logits[:, 1], task.threshold, rivals, task.policy)
    with hub.database.write() as session:
        jobs.finish(session, lease)
        challenge, row = challenges.find(session, lease.subject), submissions.find(session, lease.subject)
        assert challenge is not None  # `prepare` found both
        assert row is not None
        if assessment.is_obsolete(session, row):
            reasons = [assessment.PRIMARY_REPLACED]
        challenge.state = "failed" if reasons else "met"
        if reasons:
            assessment.close(session, row.id, "refused", reasons)
        else:
            assessment.admit(session, row, challenges.passed_of(challenge))


def expire(hub: Hub, lease: jobs.Lease) -> None:
    """End a challenge whose deadline has passed unanswered; one that is open still waits for its deadline again.

    Raises:
        LeaseLostError: another worker has taken over; nothing was written.
    """
    with hub.database.write() as session:
        jobs.finish(session, lease)
        challenge, row = challenges.find(session, lease.subject), submissions.find(session, lease.subject)
        if challenge is None or row is None or row.state != "challenged":
            return
        if challenges.is_over(challenge):
            challenge.state = "expired"
            assessment.close(session, row.id, "refused", [challenges.EXPIRED])
        else:
            jobs.enqueue(session, "challenge", row.id, after=challenges.seconds_left(challenge))
