"""One submission's way from `received` to a decision. The examination lies between `prepare` and `conclude`, in the worker.

Where the policy asks for an ownership challenge, a head that passes is `challenged` first (`evaluations.challenges`).
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from manyheads_hub.audit.log import WORKER, record
from manyheads_hub.blobs import BlobSequence
from manyheads_hub.catalogue import queries as catalogue
from manyheads_hub.evaluations import budget, challenges, jobs
from manyheads_hub.evaluations.challenges import Passed, ShownPicture
from manyheads_hub.evaluations.gate import Evaluation
from manyheads_hub.evaluations.judgement import judge
from manyheads_hub.evaluations.pictures import Picture
from manyheads_hub.evaluations.policy import read_policy
from manyheads_hub.evaluations.statement import to_info, to_predicate
from manyheads_hub.evaluations.suite import load_suite
from manyheads_hub.evaluations.task import Examination, Task
from manyheads_hub.hub import Hub
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.submissions import queries as submissions
from manyheads_hub.tables import HeadRow, PictureRow, SubmissionRow
from manyheads_hub.upgrades import queries as upgrades
from manyheads_hub.upgrades.passages import read_passages
from manyheads_shared import clock
from manyheads_shared.api import Reason, SubmissionState
from manyheads_shared.artifact import read_head, read_primary
from manyheads_shared.digest import Digest
from manyheads_shared.statements import sign_hub_statement

PRIMARY_REPLACED = Reason(
    code="primary-replaced",
    message="the hub publishes another primary since this head was submitted; train it on the new one",
)


def prepare(hub: Hub, submission_id: str) -> Task | Reason:
    """Gather what measuring a submission needs, or the reason why it is refused unmeasured.

    Raises:
        ManyheadsError: the hub's own suite, policy or blobs are not in order.
    """
    with hub.database.read() as session:
        row = _find(session, submission_id)
        if is_obsolete(session, row):
            return PRIMARY_REPLACED
        proofs = BlobSequence(hub.blobs, row.proofs)
        pairs = upgrades.carried_heads(session, row.primary)
        listed = [*catalogue.listed_heads(session, row.primary), *(head for head, _ in pairs)]
        rivals = [Digest(head.digest) for head in listed if head.generator != row.generator]
        catalogued = {head.generator: BlobSequence(hub.blobs, head.proofs) for head in listed}
        contributor_id = row.contributor_id
    suite, policy = load_suite(hub.suite_folder(), catalogued), read_policy(hub.settings.policy)
    assert suite.epoch is not None  # a whole suite
    with hub.database.read() as session:
        if spent := budget.check_budget(session, contributor_id, suite.epoch, policy):
            return spent
    primary, passages = read_primary(hub.blobs.read(row.primary)), read_passages(hub, pairs)
    owners = {head: passage.earlier for head, passage in passages.items()}
    return Task(
        primary=primary,
        head=read_head(hub.blobs.read(row.head), primary),
        rivals=tuple(read_head(hub.blobs.read(digest), owners.get(digest, primary)) for digest in rivals),
        passages=passages,
        suite=suite,
        epoch=suite.epoch,
        proofs=proofs,
        policy=policy,
    )


def conclude(hub: Hub, lease: jobs.Lease, task: Task, examination: Examination) -> None:
    """Let the policy decide on what was found, and write everything that follows in one transaction.

    Raises:
        LeaseLostError: another worker has taken over; nothing was written.
        MissingKeysError: the hub's evaluation key is not here.
    """
    judgement, full = judge(task, examination, clock.now()), examination.full
    evaluation, reasons = judgement.evaluation, list(judgement.reasons)
    for document in (judgement.scores, task.policy, judgement.findings, *(full.degraded.values() if full else ())):
        hub.blobs.put(document.to_bytes())  # kept, so that a maintainer can compute the figures again
    passed = _keep_passed(hub, task, evaluation, full.pictures) if evaluation and full and not reasons else None
    with hub.database.write() as session:
        jobs.finish(session, lease)
        row = _find(session, lease.subject)
        # others of this contributor may have been measured meanwhile: those that were concluded first had the answers
        over = budget.check_budget(session, row.contributor_id, task.epoch, task.policy) if full else None
        budget.record(session, row.id, row.contributor_id, task.epoch, judgement.findings)
        if is_obsolete(session, row):
            reasons = [PRIMARY_REPLACED, *reasons]
        if over is not None:
            evaluation, reasons = None, [over]
        if evaluation is not None:
            row.evaluation = to_info(evaluation).model_dump(mode="json")  # exact; what is told: `submissions.service`
        if reasons or passed is None:
            close(session, row.id, "refused", reasons)
        elif task.policy.challenge_images:
            challenges.issue(session, row.id, task.policy, passed)
            close(session, row.id, "challenged", [challenges.ISSUED])
        else:
            admit(session, row, passed)


def admit(session: Session, row: SubmissionRow, passed: Passed) -> None:
    """Write an accepted head into the catalogue, and queue the bundle that will hold it."""
    newer = _replace_older(session, row)
    close(session, row.id, "accepted", [_newer_listed(newer)] if newer else [])
    session.add(
        HeadRow(
            digest=row.head,
            submission_id=row.id,
            contributor_id=row.contributor_id,
            generator=row.generator,
            version=row.version,
            owner=row.owner,
            level=row.level,
            primary=row.primary,
            state="replaced" if newer else "listed",
            reason=f"replaced by {newer}" if newer else None,
            owner_statement=row.owner_statement,
            hub_statement=passed.hub_statement,
            proofs=row.proofs,
            evaluation=row.evaluation,
            accepted=row.updated,
        )
    )
    session.flush()
    for position, shown in enumerate(passed.pictures):
        session.add(PictureRow(head=row.head, position=position, digest=shown.digest, caption=shown.caption, logit=shown.logit))
    jobs.enqueue(session, "publish")


def _keep_passed(hub: Hub, task: Task, evaluation: Evaluation, pictures: Sequence[Picture]) -> Passed:
    """Sign and keep what an accepted head is shown with."""
    statement = sign_hub_statement(task.head.digest, to_predicate(evaluation, clock.now()), hub.keyring.evaluation_signer())
    return Passed(
        hub_statement=hub.blobs.put(statement),
        pictures=tuple(
            ShownPicture(digest=hub.blobs.put(picture.png), caption=picture.caption, logit=float(picture.logit))
            for picture in pictures
        ),
    )


def begin(session: Session, submission_id: str) -> None:
    """Mark a submission as being evaluated."""
    close(session, submission_id, "evaluating", ())


def close(session: Session, submission_id: str, state: SubmissionState, reasons: Sequence[Reason]) -> None:
    """Set a submission's state and its reasons."""
    row = _find(session, submission_id)
    changed, row.state, row.updated = row.state != state, state, clock.now()
    row.reasons = [reason.model_dump(mode="json") for reason in reasons]
    if changed and state not in ("received", "evaluating"):
        details = {
            "generator": f"{row.generator}@{row.version}",
            "head": row.head,
            "reasons": [reason.code for reason in reasons],
        }
        record(session, WORKER, f"submission.{state}", submission_id, details=details)


def is_obsolete(session: Session, row: SubmissionRow) -> bool:
    """Whether another primary was published since a head was submitted."""
    current = primaries.current(session)
    return current is None or current.digest != row.primary


def _replace_older(session: Session, row: SubmissionRow) -> str | None:
    """Let an accepted head take the place of its generator's earlier one, the order being that of their submissions.

    Returns:
        The name@version that keeps its place, because it was submitted later and was evaluated sooner.
    """
    for other in catalogue.listed_head_of(session, row.primary, row.generator):
        if _find(session, other.submission_id).created > row.created:
            return f"{other.generator}@{other.version}"
        other.state, other.reason = "replaced", f"replaced by {row.generator}@{row.version}"
        record(session, WORKER, "head.replaced", f"{other.generator}@{other.version}", reason=other.reason)
    return None


def _newer_listed(newer: str) -> Reason:
    return Reason(
        code="newer-version-listed",
        message=f"{newer} was submitted later and is listed already; this head is in the catalogue as replaced by it",
    )


def _find(session: Session, submission_id: str) -> SubmissionRow:
    row = submissions.find(session, submission_id)
    assert row is not None  # jobs are queued in the transaction that writes the submission, and no row is ever deleted
    return row
