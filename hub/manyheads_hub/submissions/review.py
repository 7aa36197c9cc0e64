"""What a reviewer does with submissions beside reading them: refusing one before it is evaluated.

The gate's answer is not theirs to change: its figures are signed, and a head that failed it would accuse somebody
(decision 0010).
"""

from sqlalchemy.orm import Session

from manyheads_hub.audit.log import Actor, record
from manyheads_hub.catalogue.lifecycle import check_reason
from manyheads_hub.errors import ConflictError, NotFoundError
from manyheads_hub.evaluations import jobs
from manyheads_hub.submissions import queries
from manyheads_hub.tables import SubmissionRow
from manyheads_shared import clock
from manyheads_shared.api import Reason

REFUSED = "refused-by-reviewer"


def check_waiting(session: Session, submission_id: str) -> SubmissionRow:
    """Return a submission that waits for its evaluation, and so can be refused.

    Raises:
        NotFoundError: none of that id.
        ConflictError: it is being evaluated, or was.
    """
    row = queries.find(session, submission_id)
    if row is None:
        raise NotFoundError(f"no submission {submission_id!r}")
    if row.state != "received":
        raise ConflictError(
            f"submission {submission_id} is {row.state}; only one that waits can be refused. Yank an accepted head"
        )
    return row


def refuse(session: Session, actor: Actor, submission_id: str, reason: str) -> None:
    """Refuse a submission that waits; it is not evaluated.

    Raises:
        NotFoundError, ConflictError: as `check_waiting`.
        InvalidRequestError: no reason, or one that is too long.
    """
    row, reason = check_waiting(session, submission_id), check_reason(reason)
    jobs.withdraw(session, "evaluate", submission_id, f"refused by {actor.name}")
    row.state, row.updated = "refused", clock.now()
    row.reasons = [Reason(code=REFUSED, message=reason).model_dump(mode="json")]
    details = {"generator": f"{row.generator}@{row.version}", "head": row.head, "reasons": [REFUSED]}
    record(session, actor, "submission.refused", submission_id, reason=reason, details=details)
