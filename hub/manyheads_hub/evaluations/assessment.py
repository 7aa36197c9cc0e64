"""One submission's way from `received` to a decision. Measuring lies between `prepare` and `conclude`, in the worker."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from manyheads_hub.audit.log import WORKER, record
from manyheads_hub.blobs import BlobSequence
from manyheads_hub.catalogue import queries as catalogue
from manyheads_hub.evaluations import jobs
from manyheads_hub.evaluations.gate import decide_gate, evaluate
from manyheads_hub.evaluations.pictures import Picture
from manyheads_hub.evaluations.policy import Policy, read_policy
from manyheads_hub.evaluations.scores import Scores
from manyheads_hub.evaluations.statement import to_info, to_predicate
from manyheads_hub.evaluations.suite import Suite, load_suite
from manyheads_hub.hub import Hub
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.submissions import queries as submissions
from manyheads_hub.tables import HeadRow, PictureRow, SubmissionRow
from manyheads_shared import clock
from manyheads_shared.api import Reason, SubmissionState
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact, read_head, read_primary
from manyheads_shared.statements import sign_hub_statement

PRIMARY_REPLACED = Reason(
    code="primary-replaced",
    message="the hub publishes another primary since this head was submitted; train it on the new one",
)


@dataclass(frozen=True)
class Task:
    """Everything that measuring a submission needs."""

    primary: PrimaryArtifact
    head: HeadArtifact
    suite: Suite
    proofs: Sequence[bytes]
    policy: Policy
    listed: int  # heads in the catalogue already: with them the new one shares the family-wise budget


def prepare(hub: Hub, submission_id: str) -> Task | Reason:
    """Gather what measuring a submission needs, or the reason why it is refused unmeasured.

    Raises:
        ManyheadsError: the hub's own suite, policy or blobs are not in order.
    """
    with hub.database.read() as session:
        row = _find(session, submission_id)
        if _is_obsolete(session, row):
            return PRIMARY_REPLACED
        proofs = BlobSequence(hub.blobs, row.proofs)
        listed = catalogue.listed_heads(session, row.primary)
        others = [head for head in listed if head.generator != row.generator]
        catalogued = {head.generator: BlobSequence(hub.blobs, head.proofs) for head in listed}
    primary = read_primary(hub.blobs.read(row.primary))
    return Task(
        primary=primary,
        head=read_head(hub.blobs.read(row.head), primary),
        suite=load_suite(hub.suite_folder(), catalogued),
        proofs=proofs,
        policy=read_policy(hub.settings.policy),
        listed=len(others),
    )


def conclude(hub: Hub, lease: jobs.Lease, task: Task, scores: Scores, pictures: Sequence[Picture]) -> None:
    """Let the gate decide, and write everything that follows in one transaction.

    Raises:
        LeaseLostError: another worker has taken over; nothing was written.
        MissingKeysError: the hub's evaluation key is not here.
    """
    evaluation = evaluate(scores, task.head.manifest.generator, task.policy, task.listed)
    decision = decide_gate(evaluation, task.policy)
    for document in (scores, task.policy):  # named by the statement: kept, so that a maintainer can compute the figures again
        hub.blobs.put(document.to_bytes())
    statement = sign_hub_statement(task.head.digest, to_predicate(evaluation, clock.now()), hub.keyring.evaluation_signer())
    shown = [(hub.blobs.put(picture.png), picture) for picture in pictures] if decision.accepted else []
    hub_statement = hub.blobs.put(statement)
    with hub.database.write() as session:
        jobs.finish(session, lease)
        row = _find(session, lease.subject)
        row.evaluation = to_info(evaluation).model_dump(mode="json")
        reasons = [*([PRIMARY_REPLACED] if _is_obsolete(session, row) else []), *decision.reasons]
        if reasons:
            close(session, row.id, "refused", reasons)
            return
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
                hub_statement=hub_statement,
                proofs=row.proofs,
                evaluation=row.evaluation,
                accepted=row.updated,
            )
        )
        session.flush()
        for position, (digest, picture) in enumerate(shown):
            session.add(
                PictureRow(head=row.head, position=position, digest=digest, caption=picture.caption, logit=float(picture.logit))
            )
        jobs.enqueue(session, "publish")


def begin(session: Session, submission_id: str) -> None:
    """Mark a submission as being evaluated."""
    close(session, submission_id, "evaluating", ())


def close(session: Session, submission_id: str, state: SubmissionState, reasons: Sequence[Reason]) -> None:
    """Set a submission's state and its reasons."""
    row = _find(session, submission_id)
    row.state, row.updated = state, clock.now()
    row.reasons = [reason.model_dump(mode="json") for reason in reasons]
    if state not in ("received", "evaluating"):
        details = {
            "generator": f"{row.generator}@{row.version}",
            "head": row.head,
            "reasons": [reason.code for reason in reasons],
        }
        record(session, WORKER, f"submission.{state}", submission_id, details=details)


def _is_obsolete(session: Session, row: SubmissionRow) -> bool:
    current = primaries.current(session)
    return current is None or current.digest != row.primary


def _replace_older(session: Session, row: SubmissionRow) -> str | None:
    """Let an accepted head take the place of its generator's earlier one, the order being that of their submissions.

    Returns:
        The name@version that keeps its place, because it was submitted later and was evaluated sooner.
    """
    for other in catalogue.listed_heads(session, row.primary):
        if other.generator == row.generator:
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
