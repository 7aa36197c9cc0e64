"""How often a contributor may have the hidden suite answer: full examinations of one epoch. Examinations are recorded here.

An epoch is the set of the suite's hidden images: any other set is a new one, and the count begins again. A maintainer who
changes a few images only renews the budget and not the secret; replace them all.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from manyheads_hub.evaluations.findings import Findings
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.tables import ExaminationRow
from manyheads_shared.api import Reason
from manyheads_shared.digest import Digest


def spent(session: Session, contributor_id: int, epoch: Digest) -> int:
    """Count a contributor's full examinations on one epoch."""
    query = select(func.count()).where(
        ExaminationRow.contributor_id == contributor_id, ExaminationRow.epoch == epoch, ExaminationRow.stage == "full"
    )
    return session.scalars(query).one()


def present_epoch(session: Session) -> Digest | None:
    """Return the epoch of the last examination; None before the first."""
    return session.scalars(select(ExaminationRow.epoch).order_by(ExaminationRow.id.desc()).limit(1)).one_or_none()


def check_budget(session: Session, contributor_id: int, epoch: Digest, policy: Policy) -> Reason | None:
    """Return why a contributor's head is not examined any more on this epoch; None when it may be."""
    if spent(session, contributor_id, epoch) < policy.examinations_per_epoch:
        return None
    return Reason(
        code="budget-spent",
        message=f"{policy.examinations_per_epoch} heads of yours were measured on the hub's present suite, as many as its "
        "policy allows: every answer tells a little about the hidden images. Nothing is said of this head; submit it when the "
        "hub has another suite.",
    )


def record(session: Session, submission_id: str, contributor_id: int, epoch: Digest, findings: Findings) -> None:
    """Write down that an examination was made, and what it found."""
    session.add(
        ExaminationRow(
            submission_id=submission_id,
            contributor_id=contributor_id,
            epoch=epoch,
            stage=findings.stage,
            findings=findings.digest,
            made=findings.created,
        )
    )


def last_findings(session: Session, submission_id: str) -> Digest | None:
    """Return the document of a submission's last examination; None before the first."""
    query = select(ExaminationRow.findings).where(ExaminationRow.submission_id == submission_id)
    return session.scalars(query.order_by(ExaminationRow.id.desc()).limit(1)).one_or_none()
