"""Promotion: a measured candidate becomes the hub's primary, or is refused by name; and the way back.

Both only say what the next bundle is made of. That bundle has a higher number, so clients, which never go back, follow.
"""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from manyheads_hub.audit.log import Actor, record
from manyheads_hub.catalogue import queries as catalogue
from manyheads_hub.catalogue.lifecycle import check_reason
from manyheads_hub.editions import Edition
from manyheads_hub.errors import ConflictError, PromotionRefusedError
from manyheads_hub.evaluations import jobs
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.primaries import service as primaries_service
from manyheads_hub.tables import HeadRow, PrimaryRow
from manyheads_hub.upgrades import queries
from manyheads_hub.upgrades.tables import CandidateRow, CompatibilityRow
from manyheads_shared import clock
from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.retention import HeadRetention, RetentionReport

_DAY_SECONDS = 86_400


def check_promotable(row: CandidateRow, report: RetentionReport, edition: Edition) -> None:
    """Check that a candidate may be promoted.

    The plan: (1) it is measured, and neither promoted nor withdrawn; (2) its report is about what there is now: the primary,
    the listed heads, the suite, the policy; (3) every floor is met.

    Args:
        edition: what the next bundle would be made of today.

    Raises:
        ConflictError: step 1 or 2 fails.
        PromotionRefusedError: step 3 fails; the message names each floor.
    """
    # step 1
    if row.state != "measured":
        raise ConflictError(f"candidate {report.title} is {row.state}, expected it to be measured")
    # step 2
    for what, measured, now in (
        ("primary", report.present, edition.primary.digest),
        ("list of heads", sorted(each.head for each in report.heads), sorted(head.digest for head in edition.heads)),
        ("suite", report.suite, edition.suite.digest),
        ("policy", report.policy, edition.policy.digest),
    ):
        if measured != now:
            raise ConflictError(
                f"the retention report on {report.title} was made for another {what} than the hub has now; "
                "measure again with `manyheads-hub candidate`"
            )
    # step 3
    if report.unmet:
        floors = "".join(f"\n- {floor.code}: {floor.message}" for floor in report.unmet)
        raise PromotionRefusedError(f"{report.title} does not meet {len(report.unmet)} of the policy's floors:{floors}")


def promote(
    session: Session, actor: Actor, row: CandidateRow, artifact: PrimaryArtifact, report: RetentionReport, *, grace_days: int
) -> int:
    """Let a candidate that `check_promotable` let pass be the next bundle's primary, and write how every head stands on it.

    Returns:
        The job that publishes it.

    Raises:
        ConflictError: a head was listed, or left the list, since that check.
    """
    assert row.report is not None  # it is measured
    _refuse_other_heads(session, report)
    job = primaries_service.add(session, actor, artifact, row.size_bytes, retention=row.report)
    row.state = "promoted"
    details = {"primary": row.digest, "report": row.report}
    record(session, actor, "primary.promoted", report.title, details=details)
    until = clock.write_time(clock.read_time(clock.now()) + timedelta(days=grace_days))
    for each in report.heads:
        _write_standing(session, actor, report, each, until if each.way == "beside" else None)
    if any(each.way == "beside" for each in report.heads):  # a bundle when their time is over leaves them out
        jobs.enqueue(session, "publish", f"after {until}", after=grace_days * _DAY_SECONDS + 1)
    return job


def go_back(session: Session, actor: Actor, reason: str) -> tuple[PrimaryRow, int]:
    """Let the primary before the present one be the next bundle's again, with the heads that it had.

    Returns:
        That primary, and the job that publishes it.

    Raises:
        ConflictError: there was none before.
        InvalidRequestError: no reason, or one that is too long.
    """
    present, before = check_way_back(session)
    before.turn = primaries.next_turn(session)
    details = {"primary": before.digest, "instead_of": present.digest}
    record(session, actor, "primary.restored", f"{before.name}@{before.version}", reason=check_reason(reason), details=details)
    carried = {standing.head for standing in queries.of_primary(session, before.digest) if standing.way is not None}
    for head in session.scalars(select(HeadRow).where(HeadRow.state == "obsolete")):
        if head.primary == before.digest or head.digest in carried:
            head.state, head.reason = "listed", None
            record(session, actor, "head.restored", f"{head.generator}@{head.version}", details={"head": head.digest})
    return before, jobs.enqueue(session, "publish")


def check_way_back(session: Session) -> tuple[PrimaryRow, PrimaryRow]:
    """Return the present primary and the one before it.

    Raises:
        ConflictError: there was none before.
    """
    present = primaries.current(session)
    before = None if present is None else primaries.before(session, present)
    if present is None or before is None:
        raise ConflictError("this hub had no other primary before; there is nothing to go back to")
    return present, before


def _refuse_other_heads(session: Session, report: RetentionReport) -> None:
    native, carried = catalogue.listed_heads(session, report.present), queries.carried_heads(session, report.present)
    if {head.digest for head in (*native, *(head for head, _ in carried))} != {each.head for each in report.heads}:
        raise ConflictError(f"other heads are listed than the report on {report.title} is about; measure again")


def _write_standing(session: Session, actor: Actor, report: RetentionReport, found: HeadRetention, until: str | None) -> None:
    """Write how a head stands on the new primary, and tell its owner."""
    measured = {each.way: each for each in found.ways}
    shown = measured.get("straight")
    standing = CompatibilityRow(
        head=found.head,
        primary=report.candidate,
        compatibility=found.compatibility,
        way=found.way,
        loss=shown.loss.value if shown else None,
        until=until,
    )
    session.merge(standing)
    details = {
        "head": found.head,
        "primary": report.candidate,
        "compatibility": found.compatibility,
        "way": found.way,
        "until": until,
    }
    if found.way is not None:  # one that is left out is told of as obsolete, once the bundle is published
        record(session, actor, "head.carried", found.generator.title, details=details)
