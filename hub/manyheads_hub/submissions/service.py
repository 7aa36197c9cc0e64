"""Submissions as the API and the pages show them, and their way into the queue.

Checking what is offered is for `submissions.checks`; measuring it is for the worker.
"""

import secrets
from datetime import timedelta

from sqlalchemy.orm import Session

from manyheads_hub.audit.log import record
from manyheads_hub.auth import Caller
from manyheads_hub.errors import NotFoundError, NotReadyError, QuotaError
from manyheads_hub.evaluations import budget, jobs
from manyheads_hub.evaluations.coarse import coarsen
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.hub import Hub
from manyheads_hub.settings import Limits
from manyheads_hub.submissions import queries
from manyheads_hub.submissions.checks import OVER, Offer, check_offer, refuse_used_version
from manyheads_hub.tables import OfferRow, SubmissionRow
from manyheads_hub.uploads import queries as uploads
from manyheads_shared import clock
from manyheads_shared.api import BudgetInfo, EvaluationInfo, SubmissionInfo, SubmissionRequest, Usage
from manyheads_shared.digest import Digest


def list_all(
    session: Session, limit: int | None = None, offset: int = 0, *, waiting: bool | None = None
) -> list[SubmissionInfo]:
    """Return submissions, newest first: any, those that wait, or those decided."""
    return [_to_info(session, row) for row in queries.some(session, limit, offset, waiting=waiting)]


def count_all(session: Session) -> int:
    """Return how many submissions there are."""
    return queries.count(session)


def list_own(session: Session, caller: Caller) -> list[SubmissionInfo]:
    """Return one contributor's submissions for the generators that their token is good for, newest first."""
    rows = queries.of_contributor(session, caller.contributor_id)
    return [_to_info(session, row) for row in rows if row.generator in caller.generators]


def get(session: Session, submission_id: str) -> SubmissionInfo:
    """Return one submission.

    Raises:
        NotFoundError: none of that id.
    """
    row = queries.find(session, submission_id)
    if row is None:
        raise NotFoundError(f"no submission {submission_id!r}")
    return _to_info(session, row)


def get_own(session: Session, caller: Caller, submission_id: str) -> SubmissionInfo:
    """Return one of a contributor's submissions.

    Raises:
        NotFoundError: none of that id is the caller's, for a generator that their token is good for. That it is another's
            shows on the pages, without figures.
    """
    row = queries.find(session, submission_id)
    if row is None or row.contributor_id != caller.contributor_id or row.generator not in caller.generators:
        raise NotFoundError(f"no submission {submission_id!r} of yours")
    return _to_info(session, row)


def take_offer(hub: Hub, caller: Caller, request: SubmissionRequest) -> SubmissionInfo:
    """Take what a contributor offers from the door into the queue.

    The very same offer again is answered with the submission it became, unless that was refused or failed: whoever was killed
    before the answer came may ask again.

    The plan: (1) a hub that can evaluate; (2) not taken before; (3) within both quotas, and counted whatever becomes of it;
    (4) the checks at the door; (5) received, the quota looked at again in the transaction that uses it.

    Raises:
        NotReadyError: step 1 fails.
        QuotaError: step 3 or 5 fails.
        HubError, FormatError, VerificationError: step 4 fails (`checks.check_offer`).
        ConflictError: the name@version was used meanwhile.
    """
    # step 1
    settings = hub.fresh_settings()
    if settings.suite is None:
        raise NotReadyError("this hub has no suite yet, so it cannot evaluate a head; ask its maintainer")
    # step 2
    with hub.database.read() as session:
        for row in queries.of_contributor(session, caller.contributor_id):
            if _is_same(row, request) and row.state not in OVER:
                return _to_info(session, row)
    # step 3
    with hub.database.write() as session:
        refuse_over_quota(session, caller, settings.limits.submissions_per_day)
        count_offer(session, caller, settings.limits.offers_per_day)
    # step 4
    offer = check_offer(hub, caller, request)
    # step 5
    with hub.database.write() as session:
        refuse_over_quota(session, caller, settings.limits.submissions_per_day)
        return receive(session, caller, offer)


def count_offer(session: Session, caller: Caller, limit: int) -> None:
    """Count an offer against what a contributor may bring to the door in a day; older ones are forgotten.

    Raises:
        QuotaError: not before tomorrow; it is not counted.
    """
    queries.forget_offers_before(session, _day_ago())
    if queries.count_offers(session, caller.contributor_id, _day_ago()) >= limit:
        raise QuotaError(
            f"expected at most {limit} offers a day, refused ones among them: each is work for the hub; mend what it said and "
            "try tomorrow"
        )
    session.add(OfferRow(contributor_id=caller.contributor_id, made=clock.now()))


def refuse_over_quota(session: Session, caller: Caller, limit: int) -> None:
    """Check that a contributor may submit again today.

    Raises:
        QuotaError: not before tomorrow.
    """
    if queries.count_since(session, caller.contributor_id, _day_ago()) >= limit:
        raise QuotaError(
            f"expected at most {limit} submissions a day: every answer tells a little about the hidden suite; try tomorrow"
        )


def receive(session: Session, caller: Caller, offer: Offer) -> SubmissionInfo:
    """Take in a checked offer and queue its evaluation, in one transaction.

    Raises:
        ConflictError: the name@version was used meanwhile.
    """
    generator = offer.head.manifest.generator
    refuse_used_version(session, generator, offer.head.digest)
    now = clock.now()
    row = SubmissionRow(
        id=secrets.token_hex(6),
        contributor_id=caller.contributor_id,
        generator=generator.name,
        version=generator.version,
        owner=generator.owner,
        level=generator.level,
        head=offer.head.digest,
        primary=offer.head.manifest.primary,
        owner_statement=offer.owner_statement,
        owner_key=caller.key_id,
        proofs=list(offer.proofs),
        state="received",
        reasons=[],
        evaluation=None,
        bundle_sequence=None,
        created=now,
        updated=now,
    )
    session.add(row)
    jobs.enqueue(session, "evaluate", row.id)
    details = {"generator": generator.title, "head": row.head, "primary": row.primary, "key": row.owner_key}
    record(session, caller.actor, "submission.received", row.id, details=details)
    return _to_info(session, row)


def get_budget(session: Session, caller: Caller, policy: Policy, limits: Limits) -> BudgetInfo:
    """Return what a contributor may still have measured on the suite that heads are measured on now, bring and keep here."""
    epoch, who, since = budget.present_epoch(session), caller.contributor_id, _day_ago()
    return BudgetInfo(
        epoch=epoch,
        examinations=0 if epoch is None else budget.spent(session, who, epoch),
        limit=policy.examinations_per_epoch,
        submissions=Usage(used=queries.count_since(session, who, since), limit=limits.submissions_per_day),
        offers=Usage(used=queries.count_offers(session, who, since), limit=limits.offers_per_day),
        stored_bytes=Usage(used=uploads.claimed_bytes(session, who), limit=limits.contributor_bytes),
        upload_bytes=limits.upload_bytes,
    )


def proofs_of(row: SubmissionRow) -> list[Digest]:
    """Return the digests of a submission's proof images."""
    return [Digest(proof) for proof in row.proofs]


def _is_same(row: SubmissionRow, request: SubmissionRequest) -> bool:
    offered = request.head, request.owner_statement, sorted(request.proofs)
    return (row.head, row.owner_statement, sorted(row.proofs)) == offered


def _told(row: SubmissionRow) -> EvaluationInfo | None:
    """The figures of a submission: exact ones once it is accepted, for then they are signed and public."""
    if row.evaluation is None:
        return None
    exact = EvaluationInfo.model_validate(row.evaluation)
    return exact if row.state == "accepted" else coarsen(exact)


def _day_ago() -> str:
    return clock.write_time(clock.read_time(clock.now()) - timedelta(days=1))


def _to_info(session: Session, row: SubmissionRow) -> SubmissionInfo:
    waiting = row.state == "received"
    return SubmissionInfo.model_validate(
        {
            "id": row.id,
            "generator": {"name": row.generator, "version": row.version, "owner": row.owner, "level": row.level},
            "head": row.head,
            "primary": row.primary,
            "state": row.state,
            "reasons": row.reasons,
            "queue_position": jobs.queue_position(session, "evaluate", row.id) if waiting else None,
            "evaluation": _told(row),
            "bundle_sequence": row.bundle_sequence,
            "created": row.created,
            "updated": row.updated,
        }
    )
